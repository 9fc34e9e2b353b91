namespace Distributed.Datasets.Imaging;

/// <summary>This host cannot decode images: a library or program is missing, or its memory does not suffice. No image is to blame, nor the job that needed it.</summary>
public sealed class DecoderUnavailableException : Exception
{
    /// <summary>Creates the error with what is wrong and what to do, in whole sentences.</summary>
    public DecoderUnavailableException(string message)
        : base(message) { }

    /// <summary>Creates the error with what is wrong and what caused it.</summary>
    public DecoderUnavailableException(string message, Exception innerException)
        : base(message, innerException) { }

    /// <summary>Creates the error without details.</summary>
    public DecoderUnavailableException() { }
}
