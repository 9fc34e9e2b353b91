namespace Distributed.ServiceDefaults;

/// <summary>A host cannot begin as it is set up: each error is a line for the operator, and the host ends with <see cref="ServiceHost.MisconfiguredStatus"/>.</summary>
public sealed class HostSettingsException : Exception
{
    /// <param name="errors">What is wrong and what to do, a sentence each, each beginning with the environment variable that sets it.</param>
    public HostSettingsException(IReadOnlyList<string> errors)
        : base(string.Join(' ', errors)) => Errors = errors;

    /// <param name="message">What is wrong and what to do.</param>
    public HostSettingsException(string message)
        : base(message) => Errors = [message];

    /// <param name="message">What is wrong and what to do.</param>
    /// <param name="innerException">How it was found.</param>
    public HostSettingsException(string message, Exception innerException)
        : base(message, innerException) => Errors = [message];

    /// <summary>Without a word of what is wrong.</summary>
    public HostSettingsException() { }

    /// <summary>What is wrong, a sentence each.</summary>
    public IReadOnlyList<string> Errors { get; } = [];
}
