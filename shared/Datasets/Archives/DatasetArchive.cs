using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Distributed.Storage;

namespace Distributed.Datasets.Archives;

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
    /// Where the target exists already, nothing is done. Names that are not UTF-8 are read as their format says, and never become one where they are two. STL-10's <c>unlabeled_X.bin</c> (2.8 GB) is left out, since nothing reads it.
    /// </summary>
    /// <param name="archivePath">A .tar, .tar.gz, .tgz or .zip file.</param>
    /// <param name="targetDirectory">The directory to make.</param>
    /// <param name="cancellationToken">Stops the extraction; nothing stays behind.</param>
    /// <returns>How names were understood where that is not plain, a sentence each; kept in a file beside the target for the callers that find it there.</returns>
    /// <exception cref="DatasetException">The file is no archive, one of another kind, or damaged, or holds links, paths that lead out, or absurd amounts.</exception>
    /// <exception cref="IOException">The archive cannot be read or the target not be written at the moment.</exception>
    public static async Task<IReadOnlyList<string>> ExtractAsync(
        string archivePath,
        string targetDirectory,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(archivePath);
        ArgumentException.ThrowIfNullOrWhiteSpace(targetDirectory);
        if (!File.Exists(archivePath))
        {
            throw new DatasetException(
                $"The archive '{archivePath}' does not exist on this machine. Give a file that every ingestion worker can read."
            );
        }

        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(targetDirectory));
        if (Directory.Exists(target))
        {
            return await ReadNotesAsync(target, cancellationToken);
        }

        var temporary = $"{target}.{Guid.NewGuid():N}.partial";
        Directory.CreateDirectory(temporary);
        try
        {
            await using var archive = new FileStream(
                archivePath,
                FileMode.Open,
                FileAccess.Read,
                FileShare.Read,
                1 << 20,
                FileOptions.Asynchronous | FileOptions.SequentialScan
            );
            var notes = await ExtractAsync(archive, archivePath, temporary, cancellationToken);
            await WriteNotesAsync(target, notes, cancellationToken);
            MoveIntoPlace(temporary, target);
            return notes;
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new DatasetException(
                $"The archive '{archivePath}' may not be read, or '{target}' not be written, by this process: {exception.Message} Grant its user the rights.",
                exception
            );
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
    internal static async Task<IReadOnlyList<string>> ExtractAsync(
        Stream archive,
        string archivePath,
        string directory,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var target = new ArchiveTarget(archivePath, directory, FreeBytes + (archive.Length * MaximalExpansion));
            await ExtractAsync(archive, archivePath, target, cancellationToken);
            target.ThrowIfEmpty();
            return target.Notes;
        }
        catch (NotSupportedException exception)
        {
            throw new DatasetException($"The archive '{archivePath}' cannot be read: {exception.Message}.", exception);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or FormatException or OverflowException)
        {
            throw new DatasetException(
                $"The archive '{archivePath}' is damaged or cut short ({exception.Message}). Copy or download it again.",
                exception
            );
        }
    }

    private static async Task ExtractAsync(Stream archive, string archivePath, ArchiveTarget target, CancellationToken cancellationToken)
    {
        var head = await ReadHeadAsync(archive, cancellationToken);
        archive.Position = 0;
        var format = FileFormats.Recognize(head);
        if (format == FileFormats.Gzip)
        {
            await using (var looked = new GZipStream(archive, CompressionMode.Decompress, leaveOpen: true))
            {
                ThrowUnlessTar(archivePath, await ReadHeadAsync(looked, cancellationToken));
            }

            archive.Position = 0;
            await using var unzipped = new GZipStream(archive, CompressionMode.Decompress);
            await ExtractTarAsync(unzipped, target, cancellationToken);
        }
        else if (format == FileFormats.Zip || format == FileFormats.EmptyZip || format == FileFormats.PytorchZip)
        {
            // A PyTorch file is a zip archive, too: what it lacks as a data set is found when it is indexed.
            await ExtractZipAsync(archive, archivePath, target, cancellationToken);
        }
        else if (IsTar(format, head))
        {
            await ExtractTarAsync(archive, target, cancellationToken);
        }
        else
        {
            throw ForeignArchive.Refusal(
                archivePath,
                format is null && await ZipDirectory.IsLastPartAsync(archive, cancellationToken) ? FileFormats.ZipPart : format
            );
        }
    }

    private static async Task<byte[]> ReadHeadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var head = new byte[FileFormats.HeadBytes];
        return head[..await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken)];
    }

    // Blocks of zeros are the end of a tar archive, and so one without entries.
    private static bool IsTar(FileFormat? format, ReadOnlySpan<byte> head) =>
        format == FileFormats.Tar || (format is null && head.Length >= 512 && head[..512].IndexOfAnyExcept((byte)0) < 0);

    private static void ThrowUnlessTar(string archivePath, ReadOnlySpan<byte> head)
    {
        var format = FileFormats.Recognize(head);
        if (!IsTar(format, head))
        {
            throw ForeignArchive.CompressedRefusal(archivePath, format);
        }
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

    /// <summary>What a zip archive's method of compression is called, where it is none that is read.</summary>
    /// <remarks>PKWARE, APPNOTE.TXT, 4.4.5.</remarks>
    private static string? NameIfNotRead(int method) =>
        method switch
        {
            0 or 8 or 9 => null,
            12 => "bzip2",
            14 => "LZMA",
            93 => "Zstandard",
            95 => "xz",
            98 => "PPMd",
            _ => $"a method that is not read ({method})",
        };

    private static async Task ExtractZipAsync(Stream stream, string archivePath, ArchiveTarget target, CancellationToken cancellationToken)
    {
        const int UnixTypeMask = 0xF000;
        const int UnixSymbolicLink = 0xA000;
        if (await ZipDirectory.IsLastPartAsync(stream, cancellationToken))
        {
            throw ForeignArchive.Refusal(archivePath, FileFormats.ZipPart);
        }

        var names = await ZipDirectory.ReadAsync(stream, cancellationToken);
        stream.Position = 0;
        await using var zip = await ZipArchive.CreateAsync(
            stream,
            ZipArchiveMode.Read,
            leaveOpen: true,
            Encoding.Latin1,
            cancellationToken
        );
        if (zip.Entries.Count != names.Count)
        {
            throw new InvalidDataException($"its directory has {names.Count} entries or {zip.Entries.Count}");
        }

        foreach (var ((name, method), entry) in names.Zip(zip.Entries))
        {
            if (((entry.ExternalAttributes >> 16) & UnixTypeMask) == UnixSymbolicLink)
            {
                throw target.Refusal(name, "is a symbolic link, and only plain files and directories are extracted");
            }

            if (name.Text.Length > 0 && EntryName.IsSeparator(name.Text[^1]))
            {
                target.PassDirectory(name);
                continue;
            }

            if (entry.IsEncrypted)
            {
                throw target.Refusal(name, "is encrypted; pack the archive without a password");
            }

            if (NameIfNotRead(method) is { } word)
            {
                throw target.Refusal(name, $"is compressed by {word}; pack the archive by Deflate, as zip does");
            }

            await using var content = await entry.OpenAsync(cancellationToken);
            await target.WriteAsync(name, content.ReadAsync, cancellationToken);
        }
    }

    private static string NotesPath(string target) => target + ".notes.json";

    private static async Task<IReadOnlyList<string>> ReadNotesAsync(string target, CancellationToken cancellationToken)
    {
        var path = NotesPath(target);
        return File.Exists(path)
            ? JsonSerializer.Deserialize<string[]>(await File.ReadAllBytesAsync(path, cancellationToken), DatasetJson.Options) ?? []
            : [];
    }

    /// <summary>Before the target appears, so that they are there when it is. Two workers write the same.</summary>
    private static async Task WriteNotesAsync(string target, IReadOnlyList<string> notes, CancellationToken cancellationToken)
    {
        if (notes.Count == 0)
        {
            File.Delete(NotesPath(target));
            return;
        }

        var temporary = $"{NotesPath(target)}.{Guid.NewGuid():N}.partial";
        await File.WriteAllBytesAsync(temporary, JsonSerializer.SerializeToUtf8Bytes(notes, DatasetJson.Options), cancellationToken);
        File.Move(temporary, NotesPath(target), overwrite: true);
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
