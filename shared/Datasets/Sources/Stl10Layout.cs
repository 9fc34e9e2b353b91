using System.Globalization;
using System.Security.Cryptography;
using Distributed.Imaging;
using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>Reads STL-10's binary layout: sizes, counts and class names come from the files, whatever their number.</summary>
internal static class Stl10Layout
{
    private const int Plane = Stl10Files.Side * Stl10Files.Side;

    // The official files have 70 bytes, 50 kB and 8 kB; a label says up to 255.
    private const int LongestClassNames = 1 << 20;
    private const int LongestFolds = 64 << 20;

    private static readonly string[] Files =
    [
        Stl10Files.ClassNames,
        Stl10Files.FoldIndices,
        Stl10Files.TestImages,
        Stl10Files.TestLabels,
        Stl10Files.TrainImages,
        Stl10Files.TrainLabels,
    ];

    public static async Task<FileIndex> ListAsync(
        string root,
        DataRoots? roots,
        IProgress<IndexingProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        // Text of these files is shown to people, so a link must not reach what the directory's owner could not.
        foreach (var name in Files)
        {
            Confinement.ThrowIfOutside(root, Path.Combine(root, name), roots);
        }

        var classNames = await ReadClassNamesAsync(root, cancellationToken);
        var entries = new List<ListedImage>();
        await AddSplitAsync(
            root,
            Stl10Files.TrainImages,
            Stl10Files.TrainLabels,
            SplitName.Train,
            classNames.Count,
            entries,
            cancellationToken
        );
        var trainCount = entries.Count;
        await AddSplitAsync(
            root,
            Stl10Files.TestImages,
            Stl10Files.TestLabels,
            SplitName.Test,
            classNames.Count,
            entries,
            cancellationToken
        );
        var folds = await ReadFoldsAsync(root, trainCount, cancellationToken);

        var official =
            classNames.SequenceEqual(Stl10Files.OfficialClassNames, StringComparer.Ordinal)
            && await AreOfficialAsync(root, progress, cancellationToken);
        var files = Files.Select(name => (Name: name, File: new FileInfo(Path.Combine(root, name)))).Where(file => file.File.Exists);
        return new FileIndex(
            SourceFormat.Stl10Binary,
            root,
            official ? "STL-10" : "STL-10 layout",
            classNames,
            entries,
            folds,
            DatasetSource.Fingerprint(files)
        );
    }

    /// <summary>Turns three planes of columns into rows of RGB pixels.</summary>
    public static RgbImage ToImage(ReadOnlySpan<byte> planes)
    {
        var pixels = new byte[Stl10Files.ImageBytes];
        for (var channel = 0; channel < 3; channel++)
        {
            for (var column = 0; column < Stl10Files.Side; column++)
            {
                var source = planes.Slice((channel * Plane) + (column * Stl10Files.Side), Stl10Files.Side);
                var target = (column * 3) + channel;
                foreach (var value in source)
                {
                    pixels[target] = value;
                    target += Stl10Files.Side * 3;
                }
            }
        }

        return new RgbImage(Stl10Files.Side, Stl10Files.Side, pixels);
    }

    /// <summary>Turns rows of RGB pixels into three planes of columns.</summary>
    public static void ToPlanes(ReadOnlySpan<byte> pixels, Span<byte> planes)
    {
        for (var row = 0; row < Stl10Files.Side; row++)
        {
            for (var column = 0; column < Stl10Files.Side; column++)
            {
                var source = ((row * Stl10Files.Side) + column) * 3;
                var target = (column * Stl10Files.Side) + row;
                planes[target] = pixels[source];
                planes[Plane + target] = pixels[source + 1];
                planes[(2 * Plane) + target] = pixels[source + 2];
            }
        }
    }

    /// <summary>Splits <c>train_X.bin#12</c> into file and position.</summary>
    public static (string File, int Index) ParseName(string name)
    {
        var mark = name.LastIndexOf('#');
        return mark > 0 && int.TryParse(name.AsSpan(mark + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? (name[..mark], index)
            : throw new DatasetException($"'{name}' is not the name of an image in a binary file (FILE#INDEX).");
    }

    private static async Task<List<string>> ReadClassNamesAsync(string root, CancellationToken cancellationToken)
    {
        var path = Path.Combine(root, Stl10Files.ClassNames);
        if (Present.At(path) != Presence.File)
        {
            throw new DatasetException(
                $"'{path}' is missing. It names the classes, one a line, in the order of the labels 1, 2, …: put it beside {Stl10Files.TrainImages}."
            );
        }

        var names = (await ReadLinesAsync(path, LongestClassNames, cancellationToken))
            .Select(line => line.Trim())
            .Where(line => line.Length > 0)
            .ToList();
        if (names.Count == 0)
        {
            throw new DatasetException($"'{path}' is empty; it must name the classes, one a line.");
        }

        names = [.. names.Select(name => ClassName.Read(name, path))];
        var repeated = names.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1);
        return repeated is null
            ? names
            : throw new DatasetException(
                $"'{path}' names the class '{repeated.Key}' {repeated.Count()} times; every class needs a name of its own."
            );
    }

    private static async Task AddSplitAsync(
        string root,
        string imagesFile,
        string labelsFile,
        SplitName split,
        int classes,
        List<ListedImage> entries,
        CancellationToken cancellationToken
    )
    {
        var imagesPath = Path.Combine(root, imagesFile);
        var labelsPath = Path.Combine(root, labelsFile);
        foreach (var path in new[] { imagesPath, labelsPath })
        {
            if (Present.At(path) != Presence.File)
            {
                throw new DatasetException(
                    $"'{path}' is missing. The binary layout needs images and labels of both splits: copy all files of the archive."
                );
            }
        }

        var length = new FileInfo(imagesPath).Length;
        if (length == 0 || length % Stl10Files.ImageBytes != 0)
        {
            throw new DatasetException(
                $"'{imagesPath}' has {length} bytes, which is no positive multiple of {Stl10Files.ImageBytes} (one 96×96 RGB image). The file is cut short or no STL-10 binary: copy it again."
            );
        }

        var count = length / Stl10Files.ImageBytes;
        var labelsLength = new FileInfo(labelsPath).Length;
        if (labelsLength != count)
        {
            throw new DatasetException(
                $"'{imagesPath}' holds {count} images and '{labelsPath}' holds {labelsLength} labels; the numbers must be equal. Copy both files from the same source."
            );
        }

        if (count + entries.Count > DatasetSource.MaximalImages)
        {
            throw new DatasetException(
                $"'{root}' holds more than {DatasetSource.MaximalImages} images, the most of a data set. Divide it."
            );
        }

        var labels = await File.ReadAllBytesAsync(labelsPath, cancellationToken);
        for (var index = 0; index < labels.Length; index++)
        {
            if (labels[index] < 1 || labels[index] > classes)
            {
                throw new DatasetException(
                    $"'{labelsPath}' holds label {labels[index]} for image {index}; {Stl10Files.ClassNames} names {classes} classes, so labels are 1 to {classes}."
                );
            }

            entries.Add(new ListedImage(string.Create(CultureInfo.InvariantCulture, $"{imagesFile}#{index}"), labels[index] - 1, split));
        }
    }

    private static async Task<IReadOnlyList<int[]>?> ReadFoldsAsync(string root, int trainCount, CancellationToken cancellationToken)
    {
        var path = Path.Combine(root, Stl10Files.FoldIndices);
        if (Present.At(path) != Presence.File)
        {
            return null;
        }

        var folds = new List<int[]>();
        foreach (var line in await ReadLinesAsync(path, LongestFolds, cancellationToken))
        {
            var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0)
            {
                continue;
            }

            var seen = new HashSet<int>();
            foreach (var word in words)
            {
                if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var index) || index >= trainCount)
                {
                    throw new DatasetException(
                        $"'{path}', fold {folds.Count}: '{Shorten(word)}' is no index of a train image (0 to {trainCount - 1}). Correct the file, or remove it to do without folds."
                    );
                }

                if (!seen.Add(index))
                {
                    throw new DatasetException(
                        $"'{path}', fold {folds.Count}: the index {index} stands there twice. Correct the file, or remove it to do without folds."
                    );
                }
            }

            folds.Add([.. seen]);
        }

        return folds.Count == 0
            ? throw new DatasetException($"'{path}' holds no folds. Correct the file, or remove it to do without folds.")
            : folds;
    }

    /// <summary>The lines of a text file of bounded length. A pipe has none: opening one would wait for a writer.</summary>
    private static async Task<string[]> ReadLinesAsync(string path, int longest, CancellationToken cancellationToken)
    {
        var length = new FileInfo(path).Length;
        return length == 0 ? []
            : length <= longest ? await File.ReadAllLinesAsync(path, cancellationToken)
            : throw new DatasetException(
                $"'{path}' has {length} bytes; the most is {longest}. It is not the file that its name says: copy it again."
            );
    }

    private static string Shorten(string word) => SafeText.Shorten(word, 20);

    private static async Task<bool> AreOfficialAsync(
        string root,
        IProgress<IndexingProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        // Lengths first: only a set that may be the official one costs a read of 360 MB.
        if (Stl10Files.Official.Any(file => new FileInfo(Path.Combine(root, file.Name)).Length != file.Length))
        {
            return false;
        }

        var done = 0L;
        var total = Stl10Files.Official.Sum(file => file.Length);
        foreach (var (name, length, md5) in Stl10Files.Official)
        {
            progress?.Report(new IndexingProgress($"Checking {name}", done, total));
            if (!string.Equals(await Md5Async(Path.Combine(root, name), cancellationToken), md5, StringComparison.Ordinal))
            {
                return false;
            }

            done += length;
        }

        progress?.Report(new IndexingProgress("Checked", done, total));
        return true;
    }

#pragma warning disable CA5351 // MD5 is what the publisher gives; it tells the official files from others, and protects nothing.
    private static async Task<string> Md5Async(string path, CancellationToken cancellationToken)
    {
        await using var stream = new FileStream(
            path,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            1 << 20,
            FileOptions.Asynchronous | FileOptions.SequentialScan
        );
        return Convert.ToHexStringLower(await MD5.HashDataAsync(stream, cancellationToken));
    }
#pragma warning restore CA5351
}
