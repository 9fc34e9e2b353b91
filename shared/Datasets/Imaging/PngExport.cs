using System.Globalization;
using System.Text;
using Distributed.Datasets.Sources;
using Distributed.Datasets.Splits;
using Distributed.Imaging;

namespace Distributed.Datasets.Imaging;

/// <summary>An image that was exported.</summary>
/// <param name="Split">The name of its split: train, validation or test.</param>
/// <param name="ClassName">The name of its class.</param>
/// <param name="File">The PNG's path below the directory, with forward slashes.</param>
/// <param name="Source">The image's name in its source.</param>
public sealed record ExportedImage(string Split, string ClassName, string File, string Source);

/// <summary>Writes the splits of a packed data set as PNG files, for eyes and for other tools.</summary>
public static class PngExport
{
    private const int ImagesPerRead = 64;

    /// <summary>
    /// Writes <c>train|validation|test/CLASS/INDEX-NAME.png</c>, where INDEX is the manifest index in six digits, and CLASS and NAME are the class and
    /// the image's name in its source, without folders and an image's ending; what file systems do not take is replaced by <c>_</c>. The directory can be listed
    /// as a data set again.
    /// </summary>
    /// <param name="packed">The pixels.</param>
    /// <param name="manifest">The data set.</param>
    /// <param name="split">The splits.</param>
    /// <param name="directory">Where the split folders go; files of the same names are replaced.</param>
    /// <param name="progress">The number of files written is reported to it; may be null.</param>
    /// <param name="cancellationToken">Stops the export.</param>
    /// <returns>What was written, in the order of splits and images.</returns>
    /// <exception cref="ArgumentException">The pixels are not those of the manifest.</exception>
    public static async Task<IReadOnlyList<ExportedImage>> WriteAsync(
        PackedDataset packed,
        DatasetManifest manifest,
        DatasetSplit split,
        string directory,
        IProgress<int>? progress = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(packed);
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(split);
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        if (packed.Count != manifest.Images.Count)
        {
            throw new ArgumentException($"The pack holds {packed.Count} images and the manifest {manifest.Images.Count}.", nameof(packed));
        }

        var folders = FolderNames(manifest.ClassNames);
        var exported = new List<ExportedImage>();
        foreach (var (name, images) in new[] { ("train", split.Train), ("validation", split.Validation), ("test", split.Test) })
        {
            foreach (var batch in images.Chunk(ImagesPerRead))
            {
                var first = exported.Count;
                exported.AddRange(batch.Select(index => Describe(manifest, index, name, folders)));
                var pixels = new byte[batch.Length * packed.ImageBytes];
                await packed.ReadImagesAsync(batch, pixels, cancellationToken);
                await Parallel.ForAsync(
                    0,
                    batch.Length,
                    cancellationToken,
                    async (i, token) =>
                    {
                        var path = Path.Combine(directory, exported[first + i].File);
                        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                        var png = PngEncoder.Encode(pixels.AsSpan(i * packed.ImageBytes, packed.ImageBytes), packed.Size, packed.Size);
                        await File.WriteAllBytesAsync(path, png, token);
                    }
                );
                progress?.Report(exported.Count);
            }
        }

        return exported;
    }

    private static ExportedImage Describe(DatasetManifest manifest, int index, string split, IReadOnlyList<string> folders)
    {
        var image = manifest.Images[index];
        var file = string.Create(CultureInfo.InvariantCulture, $"{split}/{folders[image.Label]}/{index:D6}-{FileName(image.Name)}.png");
        return new ExportedImage(split, manifest.ClassNames[image.Label], file, image.Name);
    }

    /// <summary>The name of a source's image without folders and an image's ending, safe on every file system. Behind its index it is the only one of that name.</summary>
    internal static string FileName(string source) =>
        Sanitize(FolderPlan.HasImageEnding(source) ? Path.GetFileNameWithoutExtension(source) : Path.GetFileName(source));

    /// <summary>A folder name for every class: safe on every file system, and no two alike even where case does not count.</summary>
    internal static IReadOnlyList<string> FolderNames(IReadOnlyList<string> classNames)
    {
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var names = new List<string>();
        foreach (var className in classNames)
        {
            var safe = Sanitize(className);
            var name = safe;
            for (var number = 2; !taken.Add(name); number++)
            {
                name = $"{safe}-{number}";
            }

            names.Add(name);
        }

        return names;
    }

    private static string Sanitize(string text)
    {
        const int MaximalLength = 60;
        var safe = new StringBuilder();
        foreach (var letter in text.EnumerateRunes().Take(MaximalLength))
        {
            var plain = Rune.IsLetterOrDigit(letter) || letter.Value is ' ' or '-' or '_' or '.' or '(' or ')' or '+' or ',';
            safe.Append(plain ? letter.ToString() : "_");
        }

        // Windows drops dots and spaces at the end; a dot at the start hides the folder.
        var name = safe.ToString().Trim(' ', '.');
        return name.Length == 0 ? "_"
            : IsDevice(name) ? "_" + name
            : name;
    }

    // Windows keeps these names, with any ending, for devices.
    private static bool IsDevice(string name)
    {
        var stem = name.Split('.')[0].TrimEnd().ToUpperInvariant();
        return stem is "CON" or "PRN" or "AUX" or "NUL"
            || (
                stem.Length == 4
                && char.IsAsciiDigit(stem[3])
                && (stem.StartsWith("COM", StringComparison.Ordinal) || stem.StartsWith("LPT", StringComparison.Ordinal))
            );
    }
}
