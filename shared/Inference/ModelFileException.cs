namespace Distributed.Inference;

/// <summary>A file is no model, is damaged, or is of a later version; the message says which, and what to do.</summary>
public sealed class ModelFileException : Exception
{
    /// <summary>Creates the error with a message in whole sentences.</summary>
    public ModelFileException(string message)
        : base(message) { }

    /// <summary>Creates the error with a message and what caused it.</summary>
    public ModelFileException(string message, Exception innerException)
        : base(message, innerException) { }

    /// <summary>Creates the error without details.</summary>
    public ModelFileException() { }
}
