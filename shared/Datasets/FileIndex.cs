using System.Text.Json.Serialization;
using Distributed.Datasets.Splits;

namespace Distributed.Datasets;

/// <summary>The part of a data set that an image belongs to.</summary>
public enum SplitName
{
    /// <summary>Images that the head is trained on.</summary>
    Train,

    /// <summary>Images that choose between heads.</summary>
    Validation,

    /// <summary>Images that are looked at once, for the figures of the report.</summary>
    Test,

    /// <summary>The source does not say: <see cref="DatasetSplit.Draw"/> decides.</summary>
    Unassigned,
}

/// <summary>How a source keeps its images.</summary>
public enum SourceFormat
{
    /// <summary>STL-10's binary files: raw 96×96 RGB images, one after the other.</summary>
    Stl10Binary,

    /// <summary>One folder a class, of image files.</summary>
    ImageFolder,
}

/// <summary>One image of a source, not yet opened.</summary>
/// <param name="Name">Path below the root with forward slashes, or <c>train_X.bin#12</c> for the thirteenth image of a binary file.</param>
/// <param name="Label">Index into the class names.</param>
/// <param name="Split">The split that the source gives it.</param>
public sealed record ListedImage(string Name, int Label, SplitName Split);

/// <summary>What a source holds, before any image is decoded. Indexing a source again that has not changed gives an equal index.</summary>
/// <param name="Format">How the source keeps its images.</param>
/// <param name="Root">Absolute path of the directory that the names are relative to.</param>
/// <param name="DisplayName">"STL-10" only where the files are the official ones, bit for bit; else "STL-10 layout" or the folder's name.</param>
/// <param name="ClassNames">Names of the classes; a label is an index into it. Empty where classes were not asked for: then labels say nothing.</param>
/// <param name="Entries">The images, ordered: train, validation, test; within a split by name (folders) or position (binary files).</param>
/// <param name="Folds">Given folds: each an array of indices into the train entries (0 is the first train entry); null where the source gives none.</param>
/// <param name="Fingerprint">SHA-256 over path, length and time stamp of the files: a cheap sign that the source is unchanged.</param>
public sealed record FileIndex(
    SourceFormat Format,
    string Root,
    string DisplayName,
    IReadOnlyList<string> ClassNames,
    IReadOnlyList<ListedImage> Entries,
    IReadOnlyList<int[]>? Folds,
    string Fingerprint
)
{
    /// <summary>The archive that <see cref="Root"/> was extracted from; null for a folder.</summary>
    public string? Archive { get; init; }

    /// <summary>What people know the source by: the archive, or the folder.</summary>
    [JsonIgnore]
    public string Source => Archive ?? Root;

    /// <summary>Files and folders that were seen and are not listed, by name. File indexes of earlier versions have none.</summary>
    public IReadOnlyList<SkippedFile> Skipped { get; init; } = [];

    /// <summary>How the source was understood where that is not plain, a sentence each: "'testing' is read as the test split." File indexes of earlier versions have none.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

/// <summary>How far indexing is.</summary>
/// <param name="Activity">What is being done, for a person to read.</param>
/// <param name="Done">Files or bytes done.</param>
/// <param name="Total">Files or bytes in all; null where it is not known.</param>
public sealed record IndexingProgress(string Activity, long Done, long? Total);
