using System.Globalization;
using System.Text;
using Distributed.Datasets.Splits;
using Distributed.Imaging;

namespace Distributed.Datasets.Imaging;

/// <summary>Writes the splits of a packed data set as PNG files, for eyes and for other tools.</summary>
public static class PngExport
{
    private const int ImagesPerRead = 64;

    /// <summary>
    /// Writes <c>train|validation|test/CLASS/INDEX.png</c>, where INDEX is the manifest index in six digits and CLASS the class name with what
    /// file systems do not take replaced by <c>_</c>. The directory can be listed as a data set again.
    /// </summary>
    /// <param name="packed">The pixels.</param>
    /// <param name="manifest">The data set.</param>
    /// <param name="split">The splits.</param>
    /// <param name="directory">Where the split folders go; files of the same names are replaced.</param>
    /// <param name="progress">The number of files written is reported to it; may be null.</param>
    /// <param name="cancellationToken">Stops the export.</param>
    /// <exception cref="ArgumentException">The pixels are not those of the manifest.</exception>
    public static async Task WriteAsync(
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
        var written = 0;
        foreach (var (name, images) in new[] { ("train", split.Train), ("validation", split.Validation), ("test", split.Test) })
        {
            foreach (var batch in images.Chunk(ImagesPerRead))
            {
                var pixels = new byte[batch.Length * packed.ImageBytes];
                await packed.ReadImagesAsync(batch, pixels, cancellationToken);
                await Parallel.ForAsync(
                    0,
                    batch.Length,
                    cancellationToken,
                    async (i, token) =>
                    {
                        var folder = Path.Combine(directory, name, folders[manifest.Images[batch[i]].Label]);
                        Directory.CreateDirectory(folder);
                        var png = PngEncoder.Encode(pixels.AsSpan(i * packed.ImageBytes, packed.ImageBytes), packed.Size, packed.Size);
                        await File.WriteAllBytesAsync(
                            Path.Combine(folder, batch[i].ToString("D6", CultureInfo.InvariantCulture) + ".png"),
                            png,
                            token
                        );
                    }
                );
                progress?.Report(written += batch.Length);
            }
        }
    }

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

    private static string Sanitize(string className)
    {
        const int MaximalLength = 60;
        var safe = new StringBuilder();
        foreach (var letter in className.EnumerateRunes().Take(MaximalLength))
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
