namespace Distributed.Datasets.Sources;

/// <summary>Names, sizes and check sums of the official STL-10 files (torchvision's <c>stl10.py</c> and the data set's page).</summary>
public static class Stl10Files
{
    /// <summary>The official archive: a gzip-compressed tar of the folder <see cref="Folder"/>.</summary>
    public static readonly Uri ArchiveUrl = new("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz");

    /// <summary>MD5 of the archive.</summary>
    public const string ArchiveMd5 = "91f7769df0f17e558f3565bffb0c7dfb";

    /// <summary>The folder inside the archive.</summary>
    public const string Folder = "stl10_binary";

    /// <summary>Width and height of every image, in pixels.</summary>
    public const int Side = 96;

    /// <summary>Bytes of one image: three planes of 96 columns of 96 pixels.</summary>
    public const int ImageBytes = 3 * Side * Side;

    /// <summary>Images of the train split.</summary>
    public const string TrainImages = "train_X.bin";

    /// <summary>Labels of the train split, one byte each, counted from 1.</summary>
    public const string TrainLabels = "train_y.bin";

    /// <summary>Images of the test split.</summary>
    public const string TestImages = "test_X.bin";

    /// <summary>Labels of the test split, one byte each, counted from 1.</summary>
    public const string TestLabels = "test_y.bin";

    /// <summary>Images without labels. Nothing here reads them.</summary>
    public const string UnlabeledImages = "unlabeled_X.bin";

    /// <summary>Names of the classes, one a line.</summary>
    public const string ClassNames = "class_names.txt";

    /// <summary>Folds, one a line: indices of train images, counted from 0.</summary>
    public const string FoldIndices = "fold_indices.txt";

    /// <summary>The files that are read, those that need not be there included.</summary>
    internal static IReadOnlyList<string> Read { get; } = [ClassNames, FoldIndices, TestImages, TestLabels, TrainImages, TrainLabels];

    /// <summary>Names of the classes of the official files, in label order.</summary>
    public static IReadOnlyList<string> OfficialClassNames { get; } =
    ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];

    /// <summary>The official labelled files: name, length in bytes, MD5.</summary>
    internal static IReadOnlyList<(string Name, long Length, string Md5)> Official { get; } =
    [
        (TrainLabels, 5_000, "5a34089d4802c674881badbb80307741"),
        (TestLabels, 8_000, "36f9794fa4beb8a2c72628de14fa638e"),
        (TrainImages, 138_240_000, "918c2871b30a85fa023e0c44e0bee87f"),
        (TestImages, 221_184_000, "7f263ba9f9e0b06b93213547f721ac82"),
    ];
}
