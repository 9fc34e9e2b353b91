namespace Distributed.Datasets;

/// <summary>One image that cannot be used: the reason goes beside its name into the list of quarantined images.</summary>
public sealed class ImageRejectedException : Exception
{
    /// <summary>Creates the error with the reason, a phrase such as "the file is cut short".</summary>
    public ImageRejectedException(string reason)
        : base(reason)
    {
    }

    /// <summary>Creates the error with the reason and what caused it.</summary>
    public ImageRejectedException(string reason, Exception innerException)
        : base(reason, innerException)
    {
    }

    /// <summary>Creates the error without details.</summary>
    public ImageRejectedException()
    {
    }
}
