namespace Distributed.Datasets;

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
}

/// <summary>A file or folder of a source that was seen and is not used.</summary>
/// <param name="Name">Path below the source's root with forward slashes; bytes that are no UTF-8 and control characters as <c>\xe9</c>.</param>
/// <param name="Reason">The kind of reason, to count by.</param>
/// <param name="Detail">The reason in words, a phrase such as "the link leads to '/srv/photos', outside the data set".</param>
public sealed record SkippedFile(string Name, SkipReason Reason, string Detail);
