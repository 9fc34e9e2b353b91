using Distributed.Storage;

namespace Distributed.Vision.Weights;

/// <summary>A weight, feature or checkpoint file is not what it has to be. The message names the file, the key and the value.</summary>
/// <remarks>Permanent: reading the same file again fails the same way.</remarks>
public sealed class WeightsException : Exception
{
    /// <summary>Creates the error with a message that names file, key, value and remedy.</summary>
    public WeightsException(string message)
        : base(SafeText.Shorten(message, SafeText.LongestMessage)) { }

    /// <summary>Creates the error with a message that names file, key, value and remedy, and what caused it.</summary>
    public WeightsException(string message, Exception innerException)
        : base(SafeText.Shorten(message, SafeText.LongestMessage), innerException) { }

    /// <summary>Creates the error without details.</summary>
    public WeightsException() { }
}
