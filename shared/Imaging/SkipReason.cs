namespace Distributed.Imaging;

/// <summary>Why a file of a source is not among its images.</summary>
public enum SkipReason
{
    /// <summary>A link that leads out of the source's folder and of the directories that runs may read.</summary>
    LinkOutside,

    /// <summary>A link to something that is not there.</summary>
    LinkDangling,

    /// <summary>A link that leads back to a folder above it, or round in a circle.</summary>
    LinkLoop,

    /// <summary>A name whose bytes are no UTF-8.</summary>
    NameNotUtf8,

    /// <summary>No file of any image format.</summary>
    NotAnImage,

    /// <summary>An image in a format that is not decoded.</summary>
    UnsupportedFormat,

    /// <summary>Cut short, damaged, or not readable.</summary>
    Damaged,

    /// <summary>More bytes or pixels than an image may have.</summary>
    TooLarge,

    /// <summary>Decoding it ended the process or did not end.</summary>
    DecodingFailed,

    /// <summary>An image that the table of labels does not name.</summary>
    NoLabel,
}
