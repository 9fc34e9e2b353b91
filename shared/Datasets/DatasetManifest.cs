using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;

namespace Distributed.Datasets;

/// <summary>One usable image of a data set.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="Sha256">SHA-256 of its source bytes.</param>
/// <param name="Label">Index into the class names.</param>
/// <param name="Split">The split that the source gives it.</param>
public sealed record ManifestImage(string Name, string Sha256, int Label, SplitName Split);

/// <summary>What a data set is, after every image has been looked at. The index of an image is its row in the packed pixels and in the features.</summary>
/// <param name="DisplayName">What people call it.</param>
/// <param name="Format">How the source keeps its images.</param>
/// <param name="Source">The source: its folder, or the archive that was given. Several may hold the same data set; name, source and the images' names are those of one of them.</param>
/// <param name="Sha256">The identity of the data set: over each image's hash, label and given split in order, the class names and the folds.</param>
/// <param name="ClassNames">Names of the classes; a label is an index into it. Empty where classes were not asked for: then labels say nothing.</param>
/// <param name="Images">The usable images, in the order of the file index.</param>
/// <param name="Folds">Given folds: each an array of indices into <paramref name="Images"/>; null where the source gives none.</param>
public sealed record DatasetManifest(
    string DisplayName,
    SourceFormat Format,
    string Source,
    string Sha256,
    IReadOnlyList<string> ClassNames,
    IReadOnlyList<ManifestImage> Images,
    IReadOnlyList<int[]>? Folds
)
{
    /// <summary>Joins the file index with what packing found.</summary>
    /// <param name="fileIndex">The file index.</param>
    /// <param name="packed">One record for every entry, in order: the slices one after the other.</param>
    /// <exception cref="ArgumentException">The records are not one for every entry in order.</exception>
    /// <exception cref="DatasetException">Too little is left to train and test a classifier; the message says of what and why.</exception>
    public static DatasetManifest Create(FileIndex fileIndex, IEnumerable<PackedImage> packed)
    {
        ArgumentNullException.ThrowIfNull(fileIndex);
        ArgumentNullException.ThrowIfNull(packed);
        var images = new List<ManifestImage>();
        var records = packed.ToList();
        var rows = new int[fileIndex.Entries.Count];
        var entry = 0;
        foreach (var image in records)
        {
            if (image.Entry != entry || entry == fileIndex.Entries.Count)
            {
                throw new ArgumentException(
                    $"The packed record of entry {image.Entry} stands where that of entry {entry} of {fileIndex.Entries.Count} belongs.",
                    nameof(packed)
                );
            }

            var listed = fileIndex.Entries[entry];
            rows[entry++] = image.Skipped is null ? images.Count : -1;
            if (image.Skipped is null)
            {
                images.Add(new ManifestImage(listed.Name, image.Sha256, listed.Label, listed.Split));
            }
        }

        if (entry != fileIndex.Entries.Count)
        {
            throw new ArgumentException(
                $"There are packed records of {entry} entries, and {fileIndex.Entries.Count} were listed.",
                nameof(packed)
            );
        }

        ThrowIfTooLittle(fileIndex, images, records);
        var folds = Reindex(fileIndex, rows);
        return new DatasetManifest(
            fileIndex.DisplayName,
            fileIndex.Format,
            fileIndex.Source,
            Hash(images, fileIndex.ClassNames, folds),
            fileIndex.ClassNames,
            images,
            folds
        );
    }

    private static void ThrowIfTooLittle(FileIndex fileIndex, List<ManifestImage> images, List<PackedImage> packed)
    {
        var skipped = SkipReasons.Find(fileIndex, packed);
        var first =
            skipped.Count == 0
                ? ""
                : $" {skipped.Count} {DatasetSource.Plural(skipped.Count, "file was", "files were")} skipped: {SkipReasons.Describe(SkipReasons.Group(skipped))}. The first is '{skipped[0].Name}': {skipped[0].Detail}.";
        if (images.Count == 0)
        {
            throw new DatasetException($"'{fileIndex.Source}' has no usable images.{first}");
        }

        if (fileIndex.ClassNames.Count == 0)
        {
            return;
        }

        if (fileIndex.ClassNames.Count < 2)
        {
            throw new DatasetException(
                $"'{fileIndex.Source}' has a single class, '{fileIndex.ClassNames[0]}'. A classifier needs at least two."
            );
        }

        var learnable = images.Where(image => image.Split is SplitName.Train or SplitName.Unassigned).ToLookup(image => image.Label);
        var empty = fileIndex.ClassNames.Where((_, label) => !learnable.Contains(label)).ToList();
        if (empty.Count > 0)
        {
            throw new DatasetException(
                $"'{fileIndex.Source}' has no usable images to train on for {DatasetSource.Plural(empty.Count, "class", "classes")} {DatasetSource.Quote(empty)}. Add images, or remove the class.{first}"
            );
        }

        var unassigned = images.Count(image => image.Split == SplitName.Unassigned);
        if (!images.Exists(image => image.Split == SplitName.Test) && unassigned <= fileIndex.ClassNames.Count)
        {
            throw new DatasetException(
                $"'{fileIndex.Source}' has no usable test images{(unassigned > 0 ? ", and too few images to draw any: one a class stays for training" : "")}. Add images.{first}"
            );
        }
    }

    private static List<int[]>? Reindex(FileIndex fileIndex, int[] rows)
    {
        if (fileIndex.Folds is null)
        {
            return null;
        }

        var train = Enumerable
            .Range(0, rows.Length)
            .Where(index => fileIndex.Entries[index].Split == SplitName.Train)
            .Select(index => rows[index])
            .ToArray();
        return [.. fileIndex.Folds.Select(fold => fold.Select(index => train[index]).Where(row => row >= 0).ToArray())];
    }

    private static string Hash(List<ManifestImage> images, IReadOnlyList<string> classNames, List<int[]>? folds)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        // Each part begins with its count and each text with its length, so that no two data sets give the same bytes.
        Append($"classes {classNames.Count}\n");
        foreach (var name in classNames)
        {
            Append($"{Encoding.UTF8.GetByteCount(name)} {name}\n");
        }

        Append($"images {images.Count}\n");
        // By far the most of it: no text is made of each of a million lines.
        var line = new byte[images.Max(image => image.Sha256.Length) + 32];
        foreach (var image in images)
        {
            Utf8.TryWrite(line, CultureInfo.InvariantCulture, $"{image.Sha256} {image.Label} {image.Split}\n", out var length);
            hash.AppendData(line, 0, length);
        }

        Append($"folds {folds?.Count ?? 0}\n");
        foreach (var fold in folds ?? [])
        {
            Append($"{string.Join(' ', fold)}\n");
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Append(FormattableString text) => hash.AppendData(Encoding.UTF8.GetBytes(text.ToString(CultureInfo.InvariantCulture)));
    }
}
