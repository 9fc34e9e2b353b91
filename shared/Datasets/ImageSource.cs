using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Distributed.Datasets;

/// <summary>The bytes of one image as the source keeps it.</summary>
/// <param name="Sha256">Their SHA-256.</param>
/// <param name="Content">The bytes; null where they are refused unread.</param>
/// <param name="Refused">Why; null for bytes that were read.</param>
internal readonly record struct SourceBytes(string Sha256, byte[]? Content, string? Refused);

/// <summary>Reads the images that a listing names.</summary>
internal sealed class ImageSource(DatasetListing listing) : IDisposable
{
    private static readonly LocalImageDecoding Binary = new(Stl10Layout.ToImage);

    private readonly ConcurrentDictionary<string, Lazy<SafeFileHandle>> _binaryFiles = new();

    public async Task<SourceBytes> ReadAsync(int entry, CancellationToken cancellationToken)
    {
        var name = listing.Entries[entry].Name;
        try
        {
            return listing.Format == SourceFormat.Stl10Binary
                ? await ReadRecordAsync(name, cancellationToken)
                : await ReadFileAsync(name, cancellationToken);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new DatasetException($"'{name}' in '{listing.Root}' may not be read by this process. Grant its user the right to read.", exception);
        }
    }

    // A binary file's images need no codec.
    public ValueTask<SquareImage> DecodeAsync(byte[] content, int size, FitMode fit, IImageDecoding decoding, CancellationToken cancellationToken) =>
        (listing.Format == SourceFormat.Stl10Binary ? Binary : decoding).DecodeAsync(content, size, fit, cancellationToken);

    public void Dispose()
    {
        foreach (var file in _binaryFiles.Values.Where(file => file.IsValueCreated))
        {
            file.Value.Dispose();
        }
    }

    private async Task<SourceBytes> ReadRecordAsync(string name, CancellationToken cancellationToken)
    {
        var (file, index) = Stl10Layout.ParseName(name);
        var handle = _binaryFiles.GetOrAdd(file, path => new Lazy<SafeFileHandle>(() =>
            Confinement.OpenRead(listing.Root, Path.Combine(listing.Root, path), FileOptions.Asynchronous))).Value;
        var content = new byte[Stl10Files.ImageBytes];
        var read = await Positioned.ReadAsync(handle, content, (long)index * content.Length, cancellationToken);
        return read == content.Length
            ? new SourceBytes(Convert.ToHexStringLower(SHA256.HashData(content)), content, null)
            : throw new DatasetException($"'{Path.Combine(listing.Root, file)}' ends before image {index}: it is shorter than when it was listed. Submit the data set again.");
    }

    private async Task<SourceBytes> ReadFileAsync(string name, CancellationToken cancellationToken)
    {
        var path = Path.Combine(listing.Root, name);
        // Pipes and sockets have no length; opening one would wait for a writer.
        if (new FileInfo(path).Length == 0)
        {
            return new SourceBytes(Convert.ToHexStringLower(SHA256.HashData([])), null, "the file is empty");
        }

        await using var stream = new FileStream(Confinement.OpenRead(listing.Root, path, FileOptions.Asynchronous | FileOptions.SequentialScan), FileAccess.Read, 0, isAsync: true);
        if (stream.Length > ImagePacker.MaximalFileBytes)
        {
            var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
            return new SourceBytes(hash, null, $"the file has {stream.Length >> 20} MiB; the most is {ImagePacker.MaximalFileBytes >> 20} MiB");
        }

        var content = new byte[stream.Length];
        await stream.ReadExactlyAsync(content, cancellationToken);
        return new SourceBytes(Convert.ToHexStringLower(SHA256.HashData(content)), content, null);
    }
}
