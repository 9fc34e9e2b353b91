using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Distributed.Datasets.Archives;
using Distributed.Datasets.Tables;
using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>Lists what a local directory holds: STL-10's binary files, or image files in class folders.</summary>
public static class DatasetSource
{
    /// <summary>The most images of a data set: as many files as an archive may hold. It bounds the memory that a file index takes.</summary>
    public const int MaximalImages = DatasetArchive.MaximalFiles;

    /// <summary>
    /// Lists a source. A directory with <c>train_X.bin</c> (or with the folder <c>stl10_binary</c> that has it) is read as STL-10's
    /// binary layout. A folder with a table of labels (<c>labels.csv</c>, <c>metadata.csv</c>, <c>metadata.jsonl</c>) has the images and labels of its rows. Anything
    /// else is a folder of images: class folders, or folders for splits with class folders in them, by the rules of <see cref="FolderPlan"/>.
    /// </summary>
    /// <param name="path">The directory. Archives go through <see cref="DatasetArchive"/> first.</param>
    /// <param name="roots">Directories that links in the source may lead to; null: only what is in the source is followed.</param>
    /// <param name="progress">Files and bytes looked at are reported to it; may be null.</param>
    /// <param name="cancellationToken">Stops the indexing.</param>
    /// <exception cref="DatasetException">The path is missing, closed to this process or no directory, or what it holds is no data set; the message says what to change.</exception>
    /// <exception cref="IOException">The directory cannot be read at the moment.</exception>
    public static async Task<FileIndex> ListAsync(
        string path,
        DataRoots? roots = null,
        IProgress<IndexingProgress>? progress = null,
        CancellationToken cancellationToken = default
    )
    {
        var fileIndex = await ListWithAsync(path, ListLabelled, roots, progress, cancellationToken);
        ThrowIfUnusable(fileIndex);
        return fileIndex;
    }

    /// <summary>
    /// Lists the images of a source whose classes are not asked for, as of one that is to be predicted: in a folder of images all that
    /// are in it, in whatever folders, without labels and splits. STL-10's binary layout is read as by <see cref="ListAsync"/>.
    /// </summary>
    /// <param name="path">The directory.</param>
    /// <param name="roots">Directories that links in the source may lead to; null: only what is in the source is followed.</param>
    /// <param name="progress">Files and bytes looked at are reported to it; may be null.</param>
    /// <param name="cancellationToken">Stops the indexing.</param>
    /// <exception cref="DatasetException">The path is missing, closed to this process or no directory, or has no images.</exception>
    /// <exception cref="IOException">The directory cannot be read at the moment.</exception>
    public static Task<FileIndex> ListImagesAsync(
        string path,
        DataRoots? roots = null,
        IProgress<IndexingProgress>? progress = null,
        CancellationToken cancellationToken = default
    ) => ListWithAsync(path, ImageFolderLayout.ListImages, roots, progress, cancellationToken);

    private static FileIndex ListLabelled(
        string path,
        DataRoots? roots,
        IProgress<IndexingProgress>? progress,
        CancellationToken cancellationToken
    ) =>
        LabelTableLayout.TryList(path, roots, progress, cancellationToken)
        ?? ImageFolderLayout.List(path, roots, progress, cancellationToken);

    private static async Task<FileIndex> ListWithAsync(
        string path,
        Func<string, DataRoots?, IProgress<IndexingProgress>?, CancellationToken, FileIndex> listFolder,
        DataRoots? roots,
        IProgress<IndexingProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        switch (Present.At(root))
        {
            case Presence.File:
                throw new DatasetException(
                    $"'{root}' is a file; a data set is a directory, or an archive (.tar.gz, .tgz, .tar, .zip) that is extracted first."
                );
            case Presence.Absent:
                throw new DatasetException(
                    $"'{root}' does not exist on this machine. Give a directory that every ingestion worker can read."
                );
        }

        try
        {
            var binaryRoot = new[] { root, Path.Combine(root, Stl10Files.Folder) }.FirstOrDefault(directory =>
                Present.At(Path.Combine(directory, Stl10Files.TrainImages)) == Presence.File
            );
            foreach (var name in Stl10Files.Read)
            {
                // Also through a link in the place of the folder.
                Confinement.ThrowIfOutside(root, Path.Combine(binaryRoot ?? root, name), roots);
            }

            return binaryRoot is not null
                ? await Stl10Layout.ListAsync(binaryRoot, roots, progress, cancellationToken)
                : await Task.Run(() => listFolder(root, roots, progress, cancellationToken), cancellationToken);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new DatasetException(
                $"'{root}' may not be read by this process, which runs as '{Environment.UserName}': {exception.Message} Grant "
                    + "that user the right to read (chmod -R a+rX).",
                exception
            );
        }
        catch (PathTooLongException exception)
        {
            throw new DatasetException(
                $"'{root}' has folders whose paths are longer than the paths that the system opens. Move what is in them up, or "
                    + "shorten their names.",
                exception
            );
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DatasetException(
                $"'{root}' changed while it was listed: {SafeText.Shorten(exception.Message, 300)} Submit the run again when "
                    + "nothing writes there.",
                exception
            );
        }
    }

    /// <summary>SHA-256 over name, length and last write of the files, in the order given, and over more that was found.</summary>
    internal static string Fingerprint(IEnumerable<(string Name, FileInfo File)> files, params IEnumerable<string> more)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, file) in files)
        {
            var line = string.Create(CultureInfo.InvariantCulture, $"{name}\0{file.Length}\0{file.LastWriteTimeUtc.Ticks}\n");
            hash.AppendData(Encoding.UTF8.GetBytes(line));
        }

        foreach (var text in more)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{text}\n"));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Path below the root with forward slashes on every system.</summary>
    internal static string RelativeName(string root, string fullPath) =>
        Path.GetRelativePath(root, fullPath).Replace(Path.DirectorySeparatorChar, '/');

    private static void ThrowIfUnusable(FileIndex fileIndex)
    {
        if (fileIndex.ClassNames.Count < 2)
        {
            throw new DatasetException(
                $"'{fileIndex.Root}' has a single class, '{fileIndex.ClassNames[0]}'. A classifier needs at least two: add a folder "
                    + $"(or rows of the table of labels, or a line of {Stl10Files.ClassNames}) for each class."
            );
        }

        var learnable = new int[fileIndex.ClassNames.Count];
        foreach (var entry in fileIndex.Entries.Where(entry => entry.Split is SplitName.Train or SplitName.Unassigned))
        {
            learnable[entry.Label]++;
        }

        var empty = fileIndex.ClassNames.Where((_, label) => learnable[label] == 0).ToList();
        if (empty.Count > 0)
        {
            throw new DatasetException(
                $"'{fileIndex.Root}' has no images to train on for {Plural(empty.Count, "class", "classes")} {Quote(empty)}. Add "
                    + "images, or remove the class."
            );
        }
    }

    internal static string Plural(int count, string one, string many) => count == 1 ? one : many;

    /// <summary>A list for a message: the first few in quotes, and how many more there are.</summary>
    internal static string Quote(List<string> names) =>
        string.Join(", ", names.Take(5).Select(name => $"'{SafeText.Shorten(name, 80)}'"))
        + (names.Count > 5 ? $" and {names.Count - 5} more" : "");
}
