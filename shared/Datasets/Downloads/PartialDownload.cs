using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;

namespace Distributed.Datasets.Downloads;

/// <summary>What is known of a partial download: what the server said about the file, and how long it has taken.</summary>
/// <param name="ETag">Strong entity tag with its quotes; null where there is none.</param>
/// <param name="LastModified">Time of the last change; null where it is not given.</param>
/// <param name="Total">Length of the whole file in bytes; null where it is not given.</param>
/// <param name="Spent">Seconds spent on the download so far, all tries together.</param>
internal sealed record DownloadNotes(string? ETag, DateTimeOffset? LastModified, long? Total, double Spent = 0)
{
    public RangeConditionHeaderValue? Condition =>
        EntityTagHeaderValue.TryParse(ETag, out var tag) ? new RangeConditionHeaderValue(tag)
        : LastModified is { } time ? new RangeConditionHeaderValue(time)
        : null;
}

/// <summary>The partial file and, beside it, the notes.</summary>
internal sealed class PartialDownload
{
    private readonly string _path;
    private readonly string _notesPath;
    private double _spent;

    public PartialDownload(string path)
    {
        _path = path;
        _notesPath = path + ".json";
        Notes = ReadNotes();
        _spent = Notes?.Spent ?? 0;
    }

    /// <summary>Time spent on the download so far, also before it started over.</summary>
    public TimeSpan Spent => TimeSpan.FromSeconds(double.Clamp(_spent, 0, TimeSpan.MaxValue.TotalSeconds / 2));

    public DownloadNotes? Notes { get; private set; }

    public long Length => File.Exists(_path) ? new FileInfo(_path).Length : 0;

    /// <summary>Bytes free where the file goes.</summary>
    public long FreeSpace => new DriveInfo(Path.GetDirectoryName(Path.GetFullPath(_path))!).AvailableFreeSpace;

    /// <summary>Whether a partial answer belongs to what is there.</summary>
    public bool Continues(HttpResponseMessage response, long start)
    {
        var range = response.Content.Headers.ContentRange;
        var said = Read(response, range?.Length);
        return range?.From == start
            && said.Total == Notes!.Total
            && (said.ETag is null || said.ETag == Notes.ETag)
            && (said.LastModified is null || said.LastModified == Notes.LastModified);
    }

    /// <summary>Starts over with a whole answer.</summary>
    public Task RestartAsync(HttpResponseMessage response, CancellationToken cancellationToken) =>
        RestartAsync(Read(response, response.Content.Headers.ContentLength), cancellationToken);

    /// <summary>Starts over with another file.</summary>
    public Task RestartAsync(DownloadNotes notes, CancellationToken cancellationToken)
    {
        Delete();
        // Written before the first byte: a partial file never lacks its validators.
        return WriteNotesAsync(notes with { Spent = _spent }, cancellationToken);
    }

    /// <summary>Adds the time of a slice. What a killed worker spent is not counted.</summary>
    public async Task SpendAsync(TimeSpan time)
    {
        _spent += time.TotalSeconds;
        if (Notes is not null)
        {
            await WriteNotesAsync(Notes with { Spent = _spent }, CancellationToken.None);
        }
    }

    private async Task WriteNotesAsync(DownloadNotes notes, CancellationToken cancellationToken)
    {
        Notes = notes;
        var temporary = _notesPath + ".new";
        await File.WriteAllBytesAsync(temporary, JsonSerializer.SerializeToUtf8Bytes(Notes, DatasetJson.Options), cancellationToken);
        File.Move(temporary, _notesPath, overwrite: true);
    }

    public FileStream OpenForAppending() => new(_path, FileMode.Append, FileAccess.Write, FileShare.Read, 0, FileOptions.Asynchronous);

    public async Task<string> HashAsync(HashAlgorithmName algorithm, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(
            _path,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            1 << 20,
            FileOptions.Asynchronous | FileOptions.SequentialScan
        );
        return Convert.ToHexStringLower(await CryptographicOperations.HashDataAsync(algorithm, file, cancellationToken));
    }

    public void MoveTo(string target)
    {
        File.Move(_path, target, overwrite: true);
        Delete();
    }

    public void Delete()
    {
        File.Delete(_path);
        File.Delete(_notesPath);
        Notes = null;
    }

    // A weak tag may stay the same over a change of bytes, so it cannot join two halves.
    private static DownloadNotes Read(HttpResponseMessage response, long? total) =>
        new(response.Headers.ETag is { IsWeak: false } tag ? tag.Tag : null, response.Content.Headers.LastModified, total);

    private DownloadNotes? ReadNotes()
    {
        if (!File.Exists(_notesPath))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<DownloadNotes>(File.ReadAllBytes(_notesPath), DatasetJson.Options);
        }
        catch (JsonException)
        {
            // Without validators the download starts over, which is right whatever happened to them.
            return null;
        }
    }
}
