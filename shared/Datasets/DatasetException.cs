using Distributed.Storage;

namespace Distributed.Datasets;

/// <summary>Data that cannot be used as it is, and will not become usable by trying again. The message names the file, the value and the remedy; what the file brings into it is cut and cleaned.</summary>
public sealed class DatasetException : Exception
{
    /// <summary>Creates the error with a message that a person can act on.</summary>
    public DatasetException(string message)
        : base(SafeText.Shorten(message, SafeText.LongestMessage)) { }

    /// <summary>Creates the error with a message that a person can act on, and what caused it.</summary>
    public DatasetException(string message, Exception innerException)
        : base(SafeText.Shorten(message, SafeText.LongestMessage), innerException) { }

    /// <summary>Creates the error without details.</summary>
    public DatasetException() { }
}
