namespace Distributed.Standalone;

/// <summary>A command cannot go on; the message is all that the person needs.</summary>
internal sealed class CommandException : Exception
{
    public CommandException(string message)
        : base(message) { }

    public CommandException(string message, Exception innerException)
        : base(message, innerException) { }

    public CommandException() { }

    /// <summary>The status that the command ends with.</summary>
    public int Status { get; init; } = 1;
}
