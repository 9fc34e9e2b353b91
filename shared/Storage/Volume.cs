using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;

namespace Distributed.Storage;

/// <summary>
/// The mounted volume that the services share. Files appear on it whole or not at all: they are written to a temporary
/// name in their own directory, flushed to the disk, and renamed; a name is never written twice.
/// </summary>
/// <remarks>Safe for use by many threads and, since names carry the attempt that wrote them, by many processes.</remarks>
public sealed class Volume
{
    /// <summary>What the names of files in the making end with; nothing reads them, and a sweep may remove old ones.</summary>
    public const string TemporarySuffix = ".partial";

    /// <summary>Name of the source of activities: files that are written, read and verified.</summary>
    public const string SourceName = "Distributed.Storage";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>
    /// The file at the root by which a mounted volume is distinguished from the bare directory that it is mounted on, and by its id from
    /// another volume: without it, or with another id, nothing is written, and no file counts as missing.
    /// </summary>
    public const string Marker = ".volume";

    private const int ProbeBytes = 4096;

    /// <summary>Jobs of one data set follow each other and read the same large files; what rots on the disk meanwhile keeps its time stamp.</summary>
    private static readonly TimeSpan TrustedFor = TimeSpan.FromMinutes(10);
    private const int MostTrusted = 10_000;
    private readonly string _rootWithSeparator;
    private readonly string _marker;
    private readonly ConcurrentDictionary<StoredFile, (DateTime Written, long At)> _verified = new();
    private volatile Standing _standing = new(Id: null, Refusal: null);

    /// <summary>Names the volume. Nothing is made or read, and nothing can be until <see cref="Accept"/>.</summary>
    /// <param name="root">The directory that every host mounts.</param>
    public Volume(string root)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(root);
        Root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        _rootWithSeparator = Root + Path.DirectorySeparatorChar;
        _marker = Path.Combine(Root, Marker);
    }

    /// <summary>The full path of the root, without a separator at its end.</summary>
    public string Root { get; }

    /// <summary>The id that it must have; null until <see cref="Accept"/>.</summary>
    public Guid? Id => _standing.Id;

    /// <summary>Begins a volume of no catalog.</summary>
    /// <param name="root">Its directory, which is made where it is not there.</param>
    /// <exception cref="IOException">The directory cannot be created or marked.</exception>
    public static Volume Begin(string root)
    {
        var volume = new Volume(root);
        var id = Guid.NewGuid();
        volume.WriteMarker(new VolumeMarker(id));
        volume.Accept(id);
        return volume;
    }

    /// <summary>Says which id the volume must have, from now on.</summary>
    public void Accept(Guid id) => _standing = new Standing(id, Refusal: null);

    /// <summary>Says why nothing may be read from the volume or written to it.</summary>
    /// <param name="reason">Whole sentences, for people.</param>
    public void Refuse(string reason) => _standing = new Standing(Id: null, reason);

    /// <summary>Reads the marker.</summary>
    /// <returns>What it says; null where there is none, or no directory.</returns>
    /// <exception cref="IOException">It cannot be read, or is no marker.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not read it.</exception>
    public VolumeMarker? ReadMarker()
    {
        string text;
        try
        {
            text = File.ReadAllText(_marker);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        return VolumeMarker.Read(text) ?? throw new IOException($"The file {_marker} holds no id of a volume. Restore it from a backup.");
    }

    /// <summary>Writes the marker, and the directory where it is not there. To be called by the host that may begin a volume, and by one at a time.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not write it.</exception>
    public void WriteMarker(VolumeMarker marker)
    {
        ArgumentNullException.ThrowIfNull(marker);
        Directory.CreateDirectory(Root);
        var temporary = $"{_marker}.{Guid.NewGuid():N}{TemporarySuffix}";
        try
        {
            using (var file = new StreamWriter(new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None)))
            {
                file.Write(marker.Write());
                file.Flush();
                ((FileStream)file.BaseStream).Flush(flushToDisk: true);
            }

            // A reader meanwhile sees the one before or this one.
            File.Move(temporary, _marker, overwrite: true);
        }
        finally
        {
            Delete(temporary);
        }
    }

    /// <summary>Makes sure that the volume is there, and is the one that it must be.</summary>
    /// <exception cref="IOException">It is not mounted, cannot be read, is another, or has not been accepted.</exception>
    public void ThrowIfAway()
    {
        var (id, refusal) = _standing;
        if (id is null)
        {
            throw new IOException(refusal ?? $"The volume {Root} has not been compared with the catalog yet.");
        }

        VolumeMarker? marker;
        try
        {
            marker = ReadMarker();
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new IOException($"The volume {Root} cannot be read: {exception.Message}", exception);
        }

        if (marker is null)
        {
            throw new IOException($"The volume {Root} is not mounted: its file {Marker} is not there. Mount it again.");
        }

        if (marker.Id != id)
        {
            throw new IOException(
                $"Another volume is mounted at {Root}: its id is {marker.Id:D}, and it was {id:D}. Mount that one again."
            );
        }
    }

    /// <summary>The full path of a file on the volume.</summary>
    /// <param name="relativePath">Path below the root, with forward slashes.</param>
    /// <exception cref="ArgumentException">The path is rooted or leads out of the volume.</exception>
    public string FullPath(string relativePath)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(relativePath);
        var full = Path.GetFullPath(Path.Combine(Root, relativePath));
        if (Path.IsPathRooted(relativePath) || !full.StartsWith(_rootWithSeparator, StringComparison.Ordinal))
        {
            throw new ArgumentException($"The path '{relativePath}' leads out of the volume.", nameof(relativePath));
        }

        return full;
    }

    /// <summary>Writes a file whole: temporary name, flush to the disk, rename.</summary>
    /// <param name="relativePath">Where it will stand, below the root. The name must be new: one that carries an attempt is.</param>
    /// <param name="write">Writes the content to the stream it is given.</param>
    /// <param name="cancellationToken">Stops the writing; nothing stays behind.</param>
    /// <returns>The record to keep in the catalog.</returns>
    /// <exception cref="IOException">The volume is full, read-only or gone, or the name is taken.</exception>
    public async Task<StoredFile> WriteAsync(
        string relativePath,
        Func<Stream, CancellationToken, Task> write,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(write);
        var target = FullPath(relativePath);
        using var span = StartSpan("write", relativePath);
        ThrowIfAway();
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var temporary = $"{target}.{Guid.NewGuid():N}{TemporarySuffix}";
        try
        {
            string sha256;
            long length;
            var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16, FileOptions.Asynchronous);
            await using (file)
            {
                await using var hashing = new HashingStream(file);
                await write(hashing, cancellationToken);
                await file.FlushAsync(cancellationToken);
                file.Flush(flushToDisk: true);
                length = hashing.Length;
                sha256 = hashing.FinishHash();
            }

            File.Move(temporary, target, overwrite: false);
            span?.SetTag("file.size", length);
            return new StoredFile(relativePath, length, sha256);
        }
        finally
        {
            Delete(temporary);
        }
    }

    /// <summary>Writes a small file and removes it again: whether the volume is there and can be written, with the error where not.</summary>
    /// <exception cref="IOException">The volume is full, read-only or gone.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not write to it.</exception>
    public void Probe()
    {
        ThrowIfAway();
        var path = Path.Combine(Root, $".probe.{Guid.NewGuid():N}{TemporarySuffix}");
        try
        {
            using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
            file.Write(new byte[ProbeBytes]);
            file.Flush(flushToDisk: true);
        }
        finally
        {
            Delete(path);
        }
    }

    /// <summary>Checks that a file is there and is what was written. A file found good is not read again for ten minutes while its time stamp stays.</summary>
    /// <exception cref="StoredFileException">The file is missing, or its length or hash differs.</exception>
    public Task VerifyAsync(StoredFile file, CancellationToken cancellationToken = default) =>
        VerifyAsync(file, TrustedFor, cancellationToken);

    /// <summary>Checks that a file is there and is what was written.</summary>
    /// <param name="file">The file.</param>
    /// <param name="trustedFor">How long a file found good is not read again while its time stamp stays; zero to read it in any case.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="StoredFileException">The file is missing, or its length or hash differs.</exception>
    public async Task VerifyAsync(StoredFile file, TimeSpan trustedFor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        var written = Inspect(file).LastWriteTimeUtc;
        if (_verified.TryGetValue(file, out var known) && known.Written == written && Stopwatch.GetElapsedTime(known.At) < trustedFor)
        {
            return;
        }

        using var span = StartSpan("verify", file.Path)?.SetTag("file.size", file.Length);
        await using var stream = new FileStream(
            FullPath(file.Path),
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            1 << 20,
            FileOptions.Asynchronous | FileOptions.SequentialScan
        );
        var sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
        ThrowIfDifferent(file, sha256);
        Trust(file, written);
    }

    /// <summary>Reads a whole file that fits in memory, and checks it.</summary>
    /// <exception cref="StoredFileException">The file is missing, or its length or hash differs.</exception>
    public async Task<byte[]> ReadAllBytesAsync(StoredFile file, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        Inspect(file);
        using var span = StartSpan("read", file.Path)?.SetTag("file.size", file.Length);
        var bytes = await File.ReadAllBytesAsync(FullPath(file.Path), cancellationToken);
        ThrowIfDifferent(file, Convert.ToHexStringLower(SHA256.HashData(bytes)));
        return bytes;
    }

    /// <summary>Remembers a file as good.</summary>
    private void Trust(StoredFile file, DateTime written)
    {
        if (_verified.Count >= MostTrusted)
        {
            // Who lives for months need not remember all it has ever written.
            _verified.Clear();
        }

        _verified[file] = (written, Stopwatch.GetTimestamp());
    }

    /// <summary>A span of what is done with a file, by the attribute names of OpenTelemetry's semantic conventions.</summary>
    private static Activity? StartSpan(string action, string path) =>
        Source.StartActivity($"file {action}", ActivityKind.Internal, default(ActivityContext), [new("file.path", path)]);

    /// <summary>Removes what was not finished; where the volume went away meanwhile, that is the error to tell, and the sweep removes it.</summary>
    private static void Delete(string temporary)
    {
        if (File.Exists(temporary))
        {
            File.Delete(temporary);
        }
    }

    private static void ThrowIfDifferent(StoredFile file, string sha256)
    {
        if (!string.Equals(sha256, file.Sha256, StringComparison.Ordinal))
        {
            throw new StoredFileException(
                $"The file '{file.Path}' on the volume is damaged: its SHA-256 is {sha256}, and {file.Sha256} was written.",
                [file.Path]
            );
        }
    }

    private FileInfo Inspect(StoredFile file)
    {
        var info = new FileInfo(FullPath(file.Path));
        if (!info.Exists)
        {
            ThrowIfAway();
            throw new StoredFileException($"The file '{file.Path}' is missing from the volume {Root}.", [file.Path]);
        }

        if (info.Length != file.Length)
        {
            throw new StoredFileException(
                $"The file '{file.Path}' on the volume is damaged: it has {info.Length} bytes, and {file.Length} were written.",
                [file.Path]
            );
        }

        return info;
    }

    private sealed record Standing(Guid? Id, string? Refusal);
}
