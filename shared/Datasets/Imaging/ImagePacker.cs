using System.Text.Json.Serialization;
using Distributed.Datasets.Sources;
using Distributed.Imaging;

namespace Distributed.Datasets.Imaging;

/// <summary>What became of one listed image.</summary>
/// <param name="Entry">Index into <see cref="FileIndex.Entries"/>.</param>
/// <param name="Sha256">SHA-256 of its source bytes: the file, or its 27,648 bytes of the binary file.</param>
/// <param name="Width">Width of the source image in pixels; 0 for a skipped one.</param>
/// <param name="Height">Height of the source image in pixels; 0 for a skipped one.</param>
/// <param name="Skipped">Why it was skipped, in words; null for a good image, whose pixels are in the pack. In files it has the name of earlier versions.</param>
/// <param name="Reason">The kind of reason; null for a good image, and in records of earlier versions.</param>
public sealed record PackedImage(
    int Entry,
    string Sha256,
    int Width,
    int Height,
    [property: JsonPropertyName("quarantined")] string? Skipped,
    SkipReason? Reason = null
);

/// <summary>Decodes a slice of a file index, makes its images square, and writes them as raw bytes.</summary>
public static class ImagePacker
{
    /// <summary>Larger files than this are skipped unread; no image within the pixel limit needs as much.</summary>
    public const long MaximalFileBytes = 256L << 20;

    /// <summary>
    /// Packs the images <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> - 1. Decoding runs on all cores; a few images
    /// a core are in memory. An image that cannot be used is skipped with its reason, and stops nothing.
    /// </summary>
    /// <param name="fileIndex">The file index.</param>
    /// <param name="first">Index of the first entry.</param>
    /// <param name="count">Number of entries.</param>
    /// <param name="preparation">What becomes of each image.</param>
    /// <param name="destination">Receives the good images in order of their entries: each size × size × 3 bytes, RGB, row by row.</param>
    /// <param name="decoding">Where image files are decoded.</param>
    /// <param name="roots">Directories that links in the source may lead to; null: only what is in the source is read.</param>
    /// <param name="cancellationToken">Stops the packing.</param>
    /// <returns>One record an entry, in order.</returns>
    /// <exception cref="IOException">The source as a whole is away, or the disk fails.</exception>
    /// <exception cref="DatasetException">A file may not be read, or has changed or gone since it was listed.</exception>
    public static async Task<IReadOnlyList<PackedImage>> PackAsync(
        FileIndex fileIndex,
        int first,
        int count,
        ImagePreparation preparation,
        Stream destination,
        IImageDecoding decoding,
        DataRoots? roots = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(fileIndex);
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(decoding);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentNullException.ThrowIfNull(preparation);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, fileIndex.Entries.Count - first);

        using var source = new ImageSource(fileIndex, roots);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var cores = new SemaphoreSlim(Environment.ProcessorCount);
        var window = new Queue<Task<(PackedImage Image, byte[]? Pixels)>>();
        var packed = new List<PackedImage>(count);
        try
        {
            for (var next = first; packed.Count < count; )
            {
                while (next < first + count && window.Count < 4 * Environment.ProcessorCount)
                {
                    var entry = next++;
                    window.Enqueue(Task.Run(() => PackOneAsync(source, entry, preparation, decoding, cores, stop.Token), stop.Token));
                }

                var (image, pixels) = await window.Dequeue();
                if (pixels is not null)
                {
                    await destination.WriteAsync(pixels, cancellationToken);
                }

                packed.Add(image);
            }

            return packed;
        }
        finally
        {
            // After an error the others must not outlive what they use; their own errors say nothing new.
            await stop.CancelAsync();
            await ((Task)Task.WhenAll(window)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Packs with <see cref="LocalImageDecoding.Default"/>.</summary>
    /// <inheritdoc cref="PackAsync(FileIndex, int, int, ImagePreparation, Stream, IImageDecoding, DataRoots?, CancellationToken)"/>
    public static Task<IReadOnlyList<PackedImage>> PackAsync(
        FileIndex fileIndex,
        int first,
        int count,
        ImagePreparation preparation,
        Stream destination,
        CancellationToken cancellationToken = default
    ) => PackAsync(fileIndex, first, count, preparation, destination, LocalImageDecoding.Default, roots: null, cancellationToken);

    private static async Task<(PackedImage Image, byte[]? Pixels)> PackOneAsync(
        ImageSource source,
        int entry,
        ImagePreparation preparation,
        IImageDecoding decoding,
        SemaphoreSlim cores,
        CancellationToken cancellationToken
    )
    {
        await cores.WaitAsync(cancellationToken);
        try
        {
            var (sha256, content, refused, reason) = await source.ReadAsync(entry, cancellationToken);
            if (content is null)
            {
                return (new PackedImage(entry, sha256, 0, 0, refused, reason), null);
            }

            try
            {
                var image = await source.DecodeAsync(content, preparation, decoding, cancellationToken);
                return (new PackedImage(entry, sha256, image.Width, image.Height, null), image.Pixels);
            }
            catch (ImageRejectedException rejected)
            {
                return (new PackedImage(entry, sha256, 0, 0, rejected.Message, rejected.Reason), null);
            }
        }
        finally
        {
            cores.Release();
        }
    }
}
