using System.Collections.Concurrent;
using System.Security.Cryptography;
using Distributed.Datasets.Sources;
using Distributed.Imaging;
using Microsoft.Win32.SafeHandles;

namespace Distributed.Datasets.Imaging;

/// <summary>The bytes of one image as the source keeps it.</summary>
/// <param name="Sha256">Their SHA-256.</param>
/// <param name="Content">The bytes; null where they are refused unread.</param>
/// <param name="Refused">Why; null for bytes that were read.</param>
/// <param name="Reason">The kind of reason; null for bytes that were read.</param>
internal readonly record struct SourceBytes(string Sha256, byte[]? Content, string? Refused, SkipReason? Reason = null);

/// <summary>Reads the images that a file index names.</summary>
/// <param name="fileIndex">The file index.</param>
/// <param name="roots">Directories that links in the source may lead to; null: only what is in the source is read.</param>
internal sealed class ImageSource(FileIndex fileIndex, DataRoots? roots = null) : IDisposable
{
    private static readonly LocalImageDecoding Binary = new(
        (encoded, preparation) =>
        {
            var image = Stl10Layout.ToImage(encoded);
            return new SquareImage(image.Width, image.Height, ImageFitting.Fit(image, preparation));
        }
    );

    private readonly ConcurrentDictionary<string, Lazy<SafeFileHandle>> _binaryFiles = new();

    public async Task<SourceBytes> ReadAsync(int entry, CancellationToken cancellationToken)
    {
        var name = fileIndex.Entries[entry].Name;
        try
        {
            return fileIndex.Format == SourceFormat.Stl10Binary ? await ReadRecordAsync(name, cancellationToken) : ReadFile(name);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw Present.NotReadable(Path.Combine(fileIndex.Root, name), exception);
        }
        catch (Exception exception)
            when (exception is FileNotFoundException or DirectoryNotFoundException or EndOfStreamException
                && Directory.Exists(fileIndex.Root)
            )
        {
            // A source that is gone as a whole may be an outage of this host; one file is not.
            throw Changed(name, exception);
        }
        catch (IOException exception) when (IsCircle(name))
        {
            throw Changed(name, exception);
        }
    }

    // A binary file's images need no codec.
    public ValueTask<SquareImage> DecodeAsync(
        ReadOnlyMemory<byte> content,
        ImagePreparation preparation,
        IImageDecoding decoding,
        CancellationToken cancellationToken
    ) => (fileIndex.Format == SourceFormat.Stl10Binary ? Binary : decoding).DecodeAsync(content, preparation, cancellationToken);

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
        var handle = _binaryFiles
            .GetOrAdd(
                file,
                path => new Lazy<SafeFileHandle>(() =>
                    Confinement.OpenRead(fileIndex.Root, Path.Combine(fileIndex.Root, path), FileOptions.Asynchronous, roots)
                )
            )
            .Value;
        var content = new byte[Stl10Files.ImageBytes];
        var read = await Positioned.ReadAsync(handle, content, (long)index * content.Length, cancellationToken);
        return read == content.Length
            ? new SourceBytes(Convert.ToHexStringLower(SHA256.HashData(content)), content, null)
            : throw new DatasetException(
                $"'{Path.Combine(fileIndex.Root, file)}' ends before image {index}: it is shorter than when it was listed. Submit the data set again."
            );
    }

    // Not asynchronously: on Linux another thread would block instead, and images are read by as many as decode them.
    private SourceBytes ReadFile(string name)
    {
        var path = Path.Combine(fileIndex.Root, name);
        var file = new FileInfo(path);
        // Of a link, .NET gives the link's own length.
        file = file.LinkTarget is null ? file : new FileInfo(RealPath.Resolve(path));
        // Pipes, sockets and devices have no length; opening one would wait for a writer.
        if (file.Length == 0)
        {
            return new SourceBytes(
                Convert.ToHexStringLower(SHA256.HashData([])),
                null,
                "the file is empty, or a pipe, socket or device",
                SkipReason.Damaged
            );
        }

        using var stream = new FileStream(
            Confinement.OpenRead(fileIndex.Root, path, FileOptions.SequentialScan, roots),
            FileAccess.Read,
            bufferSize: 0
        );
        if (stream.Length > ImagePacker.MaximalFileBytes)
        {
            var hash = Convert.ToHexStringLower(SHA256.HashData(stream));
            return new SourceBytes(
                hash,
                null,
                $"the file has {stream.Length >> 20} MiB; the most is {ImagePacker.MaximalFileBytes >> 20} MiB",
                SkipReason.TooLarge
            );
        }

        var content = GC.AllocateUninitializedArray<byte>((int)stream.Length);
        stream.ReadExactly(content);
        return RandomAccess.GetLength(stream.SafeFileHandle) == content.Length
            ? new SourceBytes(Convert.ToHexStringLower(SHA256.HashData(content)), content, null)
            : throw Changed(name, cause: null);
    }

    private bool IsCircle(string name) => RealPath.TryResolve(Path.Combine(fileIndex.Root, name.Split('#')[0])) is null;

    // Waiting would not help, and a part of what was listed would be another data set.
    private DatasetException Changed(string name, Exception? cause) =>
        new(
            $"'{name}' in '{fileIndex.Root}' has changed or gone since it was listed. Submit the run again when nothing writes there.",
            cause!
        );
}
