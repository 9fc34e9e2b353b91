using System.Formats.Tar;
using System.IO.Compression;

namespace Distributed.Datasets;

/// <summary>Unpacks archives of data sets: tar, gzip-compressed tar, zip. What an archive is, is read from its first bytes, not from its name.</summary>
public static class DatasetArchive
{
    /// <summary>The most files and directories an archive may hold.</summary>
    public const int MaximalFiles = 5_000_000;

    /// <summary>How many times an archive may expand, beyond <see cref="FreeBytes"/>. Images hardly compress, so honest archives stay far below.</summary>
    public const int MaximalExpansion = 100;

    /// <summary>What every archive may expand to, however small it is.</summary>
    public const long FreeBytes = 64L << 20;

    /// <summary>
    /// Extracts an archive. The target directory appears whole or not at all: files go to a directory beside it, which is renamed at the end.
    /// Where the target exists already, nothing is done. STL-10's <c>unlabeled_X.bin</c> (2.8 GB) is left out, since nothing reads it.
    /// </summary>
    /// <param name="archivePath">A .tar, .tar.gz, .tgz or .zip file.</param>
    /// <param name="targetDirectory">The directory to make.</param>
    /// <param name="cancellationToken">Stops the extraction; nothing stays behind.</param>
    /// <exception cref="DatasetException">The file is no archive or damaged, or holds links, paths that lead out, or absurd amounts.</exception>
    /// <exception cref="IOException">The archive cannot be read or the target not be written at the moment.</exception>
    public static async Task ExtractAsync(string archivePath, string targetDirectory, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(archivePath);
        ArgumentException.ThrowIfNullOrWhiteSpace(targetDirectory);
        if (!File.Exists(archivePath))
        {
            throw new DatasetException($"The archive '{archivePath}' does not exist on this machine. Give a file that every ingestion worker can read.");
        }

        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(targetDirectory));
        if (Directory.Exists(target))
        {
            return;
        }

        var temporary = $"{target}.{Guid.NewGuid():N}.partial";
        Directory.CreateDirectory(temporary);
        try
        {
            await using var archive = new FileStream(archivePath, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.Asynchronous | FileOptions.SequentialScan);
            await ExtractAsync(archive, archivePath, temporary, cancellationToken);
            MoveIntoPlace(temporary, target);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new DatasetException($"The archive '{archivePath}' may not be read, or '{target}' not be written, by this process: {exception.Message} Grant its user the rights.", exception);
        }
        finally
        {
            if (Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }
        }
    }

    /// <summary>Extracts into a directory that is there; what it holds after an error is worth nothing.</summary>
    internal static async Task ExtractAsync(Stream archive, string archivePath, string directory, CancellationToken cancellationToken)
    {
        try
        {
            await ExtractAsync(archive, new ArchiveTarget(archivePath, directory, FreeBytes + (archive.Length * MaximalExpansion)), cancellationToken);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or FormatException or OverflowException)
        {
            throw new DatasetException($"The archive '{archivePath}' is damaged or cut short ({exception.Message}). Copy or download it again.", exception);
        }
    }

    private static async Task ExtractAsync(Stream archive, ArchiveTarget target, CancellationToken cancellationToken)
    {
        var head = new byte[4];
        var length = await archive.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken);
        archive.Position = 0;
        switch (head.AsSpan(0, length))
        {
            case [0x1F, 0x8B, ..]:
                await using (var unzipped = new GZipStream(archive, CompressionMode.Decompress))
                {
                    await ExtractTarAsync(unzipped, target, cancellationToken);
                }

                break;
            case [(byte)'P', (byte)'K', 3, 4]:
                await ExtractZipAsync(archive, target, cancellationToken);
                break;
            default:
                await ExtractTarAsync(archive, target, cancellationToken);
                break;
        }

        target.ThrowIfEmpty();
    }

    private static async Task ExtractTarAsync(Stream stream, ArchiveTarget target, CancellationToken cancellationToken)
    {
        var reader = new TarReader(stream);
        while (await reader.NextAsync(cancellationToken) is { } entry)
        {
            switch (entry.Type)
            {
                case TarEntryType.Directory:
                    target.PassDirectory(entry.Name);
                    break;
                case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                    await target.WriteAsync(entry.Name, reader.ReadAsync, cancellationToken);
                    break;
                default:
                    throw target.Refusal(entry.Name, $"is a {entry.Type}, and only plain files and directories are extracted");
            }
        }
    }

    private static async Task ExtractZipAsync(Stream stream, ArchiveTarget target, CancellationToken cancellationToken)
    {
        const int UnixTypeMask = 0xF000;
        const int UnixSymbolicLink = 0xA000;
        await using var zip = await ZipArchive.CreateAsync(stream, ZipArchiveMode.Read, leaveOpen: true, entryNameEncoding: null, cancellationToken);
        foreach (var entry in zip.Entries)
        {
            if (((entry.ExternalAttributes >> 16) & UnixTypeMask) == UnixSymbolicLink)
            {
                throw target.Refusal(entry.FullName, "is a symbolic link, and only plain files and directories are extracted");
            }

            if (entry.FullName.EndsWith('/') || entry.FullName.EndsWith('\\'))
            {
                target.PassDirectory(entry.FullName);
                continue;
            }

            if (entry.IsEncrypted)
            {
                throw target.Refusal(entry.FullName, "is encrypted; pack the archive without a password");
            }

            await using var content = await entry.OpenAsync(cancellationToken);
            await target.WriteAsync(entry.FullName, content.ReadAsync, cancellationToken);
        }
    }

    private static void MoveIntoPlace(string temporary, string target)
    {
        try
        {
            Directory.Move(temporary, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            // Another worker was faster with the same archive; its directory appeared whole, too.
        }
    }
}
