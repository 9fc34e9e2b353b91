namespace Distributed.Storage;

/// <summary>A file that the catalog names is missing, or is not what was written.</summary>
public sealed class StoredFileException : IOException
{
    /// <summary>Creates the error of some files.</summary>
    /// <param name="message">Names the first of them and what is wrong with it.</param>
    /// <param name="paths">All of them, below the volume's root.</param>
    public StoredFileException(string message, IReadOnlyList<string> paths)
        : base(message) => Paths = paths;

    /// <summary>Creates the error with a message that names the file.</summary>
    public StoredFileException(string message)
        : base(message) { }

    /// <summary>Creates the error with a message that names the file, and what caused it.</summary>
    public StoredFileException(string message, Exception innerException)
        : base(message, innerException) { }

    /// <summary>Creates the error without details.</summary>
    public StoredFileException() { }

    /// <summary>The files, below the volume's root, as the catalog names them; none where it is not known which they are.</summary>
    public IReadOnlyList<string> Paths { get; } = [];
}
