using Distributed.Storage;

namespace Distributed.Datasets.Archives;

/// <summary>What is said of a file that is given as an archive and is none that is read: what it is, and what to do.</summary>
internal static class ForeignArchive
{
    private const string Give =
        "Give a folder of images (to train, with one folder for each class), or a .tar, .tar.gz or .zip archive of such a folder.";

    /// <summary>The error.</summary>
    /// <param name="path">The file, as it was given.</param>
    /// <param name="format">What it is; null where that is not known.</param>
    public static DatasetException Refusal(string path, FileFormat? format) =>
        new(
            format switch
            {
                null =>
                    $"'{path}' is not a .tar, .tar.gz or .zip archive, nor a file of another format that is known. If it should be one, it is damaged: copy or download it again.",
                { Kind: FileKind.Archive } when format == FileFormats.ZipPart =>
                    $"'{path}' is {format.Name}, and a part alone cannot be read. Join them to one archive (zip -s 0), or unpack them and give the folder.",
                { Kind: FileKind.Archive } =>
                    $"'{path}' is {format.Name}, which is not read. Unpack it and give the folder, or pack that as .tar.gz or .zip.",
                { Kind: FileKind.Weights } => $"'{path}' is {format.Name}, and not a data set. Weights are named as the backbone. {Give}",
                { Remedy: { } remedy } => $"'{path}' is {format.Name}, and not an archive: {remedy}.",
                _ => $"'{path}' is {format.Name}, and not an archive. {Give}",
            }
        );

    /// <summary>The error of a file that is compressed, but is no tar archive.</summary>
    /// <param name="path">The file, as it was given.</param>
    /// <param name="content">What it holds; null where that is not known.</param>
    public static DatasetException CompressedRefusal(string path, FileFormat? content) =>
        new($"'{path}' is {FileFormats.Gzip.Name} that holds {content?.Name ?? "no tar archive"}. {Give}");
}
