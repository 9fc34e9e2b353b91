namespace Distributed.Imaging;

/// <summary>One image that cannot be used: the reason goes beside its name into the list of skipped files.</summary>
public sealed class ImageRejectedException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="reason">The kind of reason.</param>
    /// <param name="detail">The reason in words and, where something can be done, what: a phrase such as "it is a HEIC image, which is not read; convert it to JPEG or PNG".</param>
    public ImageRejectedException(SkipReason reason, string detail)
        : base(detail) => Reason = reason;

    /// <summary>Creates the error with what caused it.</summary>
    /// <inheritdoc cref="ImageRejectedException(SkipReason, string)"/>
    public ImageRejectedException(SkipReason reason, string detail, Exception innerException)
        : base(detail, innerException) => Reason = reason;

    /// <summary>Creates the error of a damaged file with the reason in words.</summary>
    public ImageRejectedException(string detail)
        : base(detail) { }

    /// <summary>Creates the error of a damaged file with the reason in words and what caused it.</summary>
    public ImageRejectedException(string detail, Exception innerException)
        : base(detail, innerException) { }

    /// <summary>Creates the error without details.</summary>
    public ImageRejectedException() { }

    /// <summary>The kind of reason.</summary>
    public SkipReason Reason { get; init; } = SkipReason.Damaged;
}
