using System.Collections.Concurrent;
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

    private readonly string _rootWithSeparator;
    private readonly ConcurrentDictionary<StoredFile, DateTime> _verified = new();

    /// <summary>Opens the volume, creating its root where it is missing.</summary>
    /// <param name="root">The directory that every host mounts.</param>
    /// <exception cref="IOException">The directory cannot be created.</exception>
    public Volume(string root)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(root);
        Root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        _rootWithSeparator = Root + Path.DirectorySeparatorChar;
        Directory.CreateDirectory(Root);
    }

    /// <summary>The full path of the root, without a separator at its end.</summary>
    public string Root { get; }

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
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(write);
        var target = FullPath(relativePath);
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
            return new StoredFile(relativePath, length, sha256);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Checks that a file is there and is what was written. A file found good once is not read again while its time stamp stays.</summary>
    /// <exception cref="StoredFileException">The file is missing, or its length or hash differs.</exception>
    public async Task VerifyAsync(StoredFile file, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        var written = Inspect(file).LastWriteTimeUtc;
        if (_verified.TryGetValue(file, out var known) && known == written)
        {
            return;
        }

        await using var stream = new FileStream(FullPath(file.Path), FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.Asynchronous | FileOptions.SequentialScan);
        var sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
        ThrowIfDifferent(file, sha256);
        _verified[file] = written;
    }

    /// <summary>Reads a whole file that fits in memory, and checks it.</summary>
    /// <exception cref="StoredFileException">The file is missing, or its length or hash differs.</exception>
    public async Task<byte[]> ReadAllBytesAsync(StoredFile file, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        Inspect(file);
        var bytes = await File.ReadAllBytesAsync(FullPath(file.Path), cancellationToken);
        ThrowIfDifferent(file, Convert.ToHexStringLower(SHA256.HashData(bytes)));
        return bytes;
    }

    private static void ThrowIfDifferent(StoredFile file, string sha256)
    {
        if (!string.Equals(sha256, file.Sha256, StringComparison.Ordinal))
        {
            throw new StoredFileException($"The file '{file.Path}' on the volume is damaged: its SHA-256 is {sha256}, and {file.Sha256} was written.");
        }
    }

    private FileInfo Inspect(StoredFile file)
    {
        var info = new FileInfo(FullPath(file.Path));
        if (!info.Exists)
        {
            throw new StoredFileException($"The file '{file.Path}' is missing from the volume {Root}.");
        }

        if (info.Length != file.Length)
        {
            throw new StoredFileException($"The file '{file.Path}' on the volume is damaged: it has {info.Length} bytes, and {file.Length} were written.");
        }

        return info;
    }
}
