using Distributed.Storage;
using Microsoft.Win32.SafeHandles;

namespace Distributed.Datasets.Imaging;

/// <summary>One file of packed images.</summary>
/// <param name="File">The file: images of size × size × 3 bytes, one after the other.</param>
/// <param name="FirstImage">Manifest index of its first image.</param>
/// <param name="ImageCount">Number of its images.</param>
public sealed record PackedPart(StoredFile File, int FirstImage, int ImageCount);

/// <summary>The packed pixels of a data set, read by position. Every part is verified before it is first read. Safe for use by many threads.</summary>
public sealed class PackedDataset : IDisposable
{
    private readonly Volume _volume;
    private readonly PackedPart[] _parts;
    private readonly SafeFileHandle?[] _handles;
    private readonly SemaphoreSlim _opening = new(1);

    /// <summary>Joins the parts of a packed data set.</summary>
    /// <param name="volume">The volume they are on.</param>
    /// <param name="size">Side of the images, in pixels.</param>
    /// <param name="parts">The parts, in any order; together they hold each image once. Empty parts are allowed.</param>
    /// <exception cref="ArgumentException">There is a gap or an overlap, or a file's length is not that of its images.</exception>
    public PackedDataset(Volume volume, int size, IReadOnlyList<PackedPart> parts)
    {
        ArgumentNullException.ThrowIfNull(volume);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        ArgumentNullException.ThrowIfNull(parts);
        _volume = volume;
        Size = size;
        _parts = [.. parts.Where(part => part.ImageCount > 0).OrderBy(part => part.FirstImage)];
        _handles = new SafeFileHandle?[_parts.Length];
        foreach (var part in _parts)
        {
            if (part.FirstImage != Count || part.File.Length != (long)part.ImageCount * ImageBytes)
            {
                throw new ArgumentException(
                    $"The part '{part.File.Path}' ({part.File.Length} bytes) claims images {part.FirstImage} to {part.FirstImage + part.ImageCount - 1} of {ImageBytes} bytes; the image after the part before it is {Count}.",
                    nameof(parts)
                );
            }

            Count += part.ImageCount;
        }
    }

    /// <summary>Side of the images, in pixels.</summary>
    public int Size { get; }

    /// <summary>Number of images.</summary>
    public int Count { get; }

    /// <summary>Bytes of one image: size × size × 3, RGB, row by row.</summary>
    public int ImageBytes => Size * Size * 3;

    /// <summary>Reads images that stand one after the other.</summary>
    /// <param name="firstImage">Manifest index of the first.</param>
    /// <param name="count">Number of images.</param>
    /// <param name="destination">Receives count × <see cref="ImageBytes"/> bytes.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="StoredFileException">A part is missing or damaged.</exception>
    public async Task ReadAsync(int firstImage, int count, Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstImage);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Count - firstImage);
        ThrowIfTooSmall(destination, count);
        while (count > 0)
        {
            var index = PartOf(firstImage);
            var part = _parts[index];
            var skipped = firstImage - part.FirstImage;
            var taken = Math.Min(count, part.ImageCount - skipped);
            var bytes = destination[..(taken * ImageBytes)];
            var handle = _handles[index] ?? await OpenAsync(index, cancellationToken);
            var read = await Positioned.ReadAsync(handle, bytes, (long)skipped * ImageBytes, cancellationToken);
            if (read != bytes.Length)
            {
                throw new StoredFileException(
                    $"The file '{part.File.Path}' on the volume became shorter while it was read.",
                    [part.File.Path]
                );
            }

            destination = destination[bytes.Length..];
            firstImage += taken;
            count -= taken;
        }
    }

    /// <summary>Reads images from anywhere.</summary>
    /// <param name="images">Manifest indices, in the order wanted.</param>
    /// <param name="destination">Receives images.Length × <see cref="ImageBytes"/> bytes.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="StoredFileException">A part is missing or damaged.</exception>
    public async Task ReadImagesAsync(ReadOnlyMemory<int> images, Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        ThrowIfTooSmall(destination, images.Length);
        for (var begin = 0; begin < images.Length; )
        {
            var run = RunLength(images.Span[begin..]);
            await ReadAsync(images.Span[begin], run, destination.Slice(begin * ImageBytes, run * ImageBytes), cancellationToken);
            begin += run;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var handle in _handles)
        {
            handle?.Dispose();
        }

        _opening.Dispose();
    }

    // Neighbours in the file are read together.
    private static int RunLength(ReadOnlySpan<int> images)
    {
        var length = 1;
        while (length < images.Length && images[length] == images[0] + length)
        {
            length++;
        }

        return length;
    }

    private void ThrowIfTooSmall(Memory<byte> destination, int count)
    {
        if (destination.Length < (long)count * ImageBytes)
        {
            throw new ArgumentException(
                $"{destination.Length} bytes do not hold {count} images of {ImageBytes} bytes.",
                nameof(destination)
            );
        }
    }

    private int PartOf(int image)
    {
        var (low, high) = (0, _parts.Length - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = _parts[middle].FirstImage <= image ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    private async Task<SafeFileHandle> OpenAsync(int index, CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken);
        try
        {
            if (_handles[index] is null)
            {
                await _volume.VerifyAsync(_parts[index].File, cancellationToken);
                Volatile.Write(
                    ref _handles[index],
                    File.OpenHandle(
                        _volume.FullPath(_parts[index].File.Path),
                        FileMode.Open,
                        FileAccess.Read,
                        FileShare.Read,
                        FileOptions.Asynchronous
                    )
                );
            }

            return _handles[index]!;
        }
        finally
        {
            _opening.Release();
        }
    }
}
