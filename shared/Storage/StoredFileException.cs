namespace Distributed.Storage;

/// <summary>A file that the catalog names is missing, or is not what was written.</summary>
public sealed class StoredFileException : IOException
{
    /// <summary>Creates the error with a message that names the file.</summary>
    public StoredFileException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error with a message that names the file, and what caused it.</summary>
    public StoredFileException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the error without details.</summary>
    public StoredFileException()
    {
    }
}
