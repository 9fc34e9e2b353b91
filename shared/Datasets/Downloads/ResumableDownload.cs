using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace Distributed.Datasets.Downloads;

/// <summary>How far a download is.</summary>
/// <param name="BytesSoFar">Bytes on the disk.</param>
/// <param name="Total">Bytes in all; null where the server does not say.</param>
public sealed record DownloadProgress(long BytesSoFar, long? Total);

/// <summary>How one slice of a download ended.</summary>
/// <param name="Finished">Whether the file stands at its place, checked.</param>
/// <param name="BytesSoFar">Bytes on the disk.</param>
/// <param name="Total">Bytes in all; null where the server does not say.</param>
public sealed record DownloadOutcome(bool Finished, long BytesSoFar, long? Total)
{
    /// <summary>Bytes that came in this slice.</summary>
    public long Received { get; init; }
}

/// <summary>Downloads a file in slices of time that any worker can go on with: what has come stays beside the target as <c>.partial</c>.</summary>
public static class ResumableDownload
{
    /// <summary>What the name of an unfinished download ends with.</summary>
    public const string PartialSuffix = ".partial";

    private const int BufferBytes = 1 << 18;
    private const int ReportEveryBytes = 8 << 20;

    /// <summary>
    /// Goes on with a download for a slice of time. A lost connection is taken up again at once as long as bytes arrive; one that brings nothing is an error for the
    /// caller's retry. The server's validators (ETag, Last-Modified) are kept beside the partial file, so that a file that changed meanwhile starts over.
    /// Only one caller at a time may work on one target.
    /// </summary>
    /// <param name="http">The client. Automatic decompression must be off, since positions count the bytes as they are sent.</param>
    /// <param name="source">An http or https address, or a file: that of a mirror on a disk.</param>
    /// <param name="targetPath">Where the finished file goes. A file that is there already is taken as finished.</param>
    /// <param name="expectation">What the file must be; null for anything.</param>
    /// <param name="limits">What it may cost.</param>
    /// <param name="slice">How long to go on for; one that brings nothing is an error. The final check of the hash is not cut.</param>
    /// <param name="time">What slices are timed by.</param>
    /// <param name="progress">The bytes so far are reported to it; may be null.</param>
    /// <param name="cancellationToken">Stops the download; what has come stays.</param>
    /// <returns>Whether it is finished, and how far it is.</returns>
    /// <exception cref="DatasetException">The server refuses for good (4xx), the file is not the one expected, or a limit is reached.</exception>
    /// <exception cref="HttpRequestException">The server cannot be reached, fails (5xx, 408, 429), breaks off or goes silent without sending anything.</exception>
    /// <exception cref="IOException">The disk fails, or has too little space.</exception>
    public static async Task<DownloadOutcome> FetchAsync(
        HttpClient http,
        Uri source,
        string targetPath,
        DownloadExpectation? expectation,
        DownloadLimits limits,
        TimeSpan slice,
        TimeProvider time,
        IProgress<DownloadProgress>? progress = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentException.ThrowIfNullOrWhiteSpace(targetPath);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(slice, TimeSpan.Zero);
        ArgumentNullException.ThrowIfNull(limits);
        if (!source.IsAbsoluteUri || (source.Scheme != Uri.UriSchemeHttp && source.Scheme != Uri.UriSchemeHttps && !source.IsFile))
        {
            throw new DatasetException($"'{source}' is no http or https address, and no file.");
        }

        if (File.Exists(targetPath))
        {
            var length = new FileInfo(targetPath).Length;
            return new DownloadOutcome(Finished: true, length, length);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(targetPath))!);
        var partial = new PartialDownload(targetPath + PartialSuffix);
        var check = new DownloadCheck(source, partial, expectation, limits);
        check.ThrowIfTooSlow();
        var (started, before) = (time.GetTimestamp(), partial.Length);
        using var clock = new CancellationTokenSource(slice, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, clock.Token);
        try
        {
            while (!await ReceiveAsync(http, source, partial, check, progress, stop.Token)) { }
        }
        catch (OperationCanceledException exception) when (clock.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // A file that starts over is shorter than before, and comes along all the same.
            return partial.Length != before
                ? new DownloadOutcome(Finished: false, partial.Length, partial.Notes?.Total)
                {
                    Received = Math.Max(0, partial.Length - before),
                }
                : throw new HttpRequestException($"'{source}' sent nothing for {slice.TotalSeconds:F0} s.", exception);
        }
        finally
        {
            await partial.SpendAsync(time.GetElapsedTime(started));
        }

        await check.VerifyAsync(cancellationToken);
        var total = partial.Length;
        partial.MoveTo(targetPath);
        progress?.Report(new DownloadProgress(total, total));
        return new DownloadOutcome(Finished: true, total, total) { Received = Math.Max(0, total - before) };
    }

    /// <summary>One request. True when the file is complete; false to go on with another request.</summary>
    private static async Task<bool> ReceiveAsync(
        HttpClient http,
        Uri source,
        PartialDownload partial,
        DownloadCheck check,
        IProgress<DownloadProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        if (source.IsFile)
        {
            return await CopyFileAsync(source, partial, check, progress, cancellationToken);
        }

        var start = check.ResumeAt();
        if (start > 0 && start == partial.Notes?.Total)
        {
            return true;
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, source);
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (start > 0)
        {
            request.Headers.Range = new RangeHeaderValue(start, null);
            request.Headers.IfRange = partial.Notes!.Condition;
        }

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!await AcceptAsync(source, response, partial, start, cancellationToken))
        {
            return false;
        }

        check.ThrowIfUnfit();
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        return await CopyAsync(source, body, partial, check, progress, cancellationToken);
    }

    /// <summary>A mirror on a disk: the same slices, checks and limits.</summary>
    private static async Task<bool> CopyFileAsync(
        Uri source,
        PartialDownload partial,
        DownloadCheck check,
        IProgress<DownloadProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        var info = new FileInfo(source.LocalPath);
        if (!info.Exists)
        {
            throw new DatasetException(
                $"The file '{source.LocalPath}', which the settings name as a mirror, does not exist on this machine."
            );
        }

        var notes = new DownloadNotes(ETag: null, new DateTimeOffset(info.LastWriteTimeUtc), info.Length);
        var start = check.ResumeAt();
        if (start == 0 || partial.Notes!.LastModified != notes.LastModified || partial.Notes.Total != notes.Total)
        {
            await partial.RestartAsync(notes, cancellationToken);
            start = 0;
        }

        check.ThrowIfUnfit();
        await using var file = new FileStream(
            info.FullName,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            0,
            FileOptions.Asynchronous | FileOptions.SequentialScan
        );
        file.Position = start;
        return await CopyAsync(source, file, partial, check, progress, cancellationToken);
    }

    /// <summary>Looks at the answer and prepares the partial file for its body. False to ask again from the start.</summary>
    private static async Task<bool> AcceptAsync(
        Uri source,
        HttpResponseMessage response,
        PartialDownload partial,
        long start,
        CancellationToken cancellationToken
    )
    {
        switch (response.StatusCode)
        {
            case HttpStatusCode.PartialContent when start > 0 && partial.Continues(response, start):
                return true;
            case HttpStatusCode.PartialContent or HttpStatusCode.RequestedRangeNotSatisfiable when start > 0:
                // The file is another one by now, and the server ignored If-Range.
                partial.Delete();
                return false;
            case HttpStatusCode.OK:
                await partial.RestartAsync(response, cancellationToken);
                return true;
            case HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError:
                throw new HttpRequestException(
                    $"'{source}' answered {(int)response.StatusCode} ({response.ReasonPhrase}).",
                    inner: null,
                    response.StatusCode
                );
            default:
                throw new DatasetException(
                    $"'{source}' answered {(int)response.StatusCode} ({response.ReasonPhrase}). Check the address, and that it "
                        + "needs no login."
                );
        }
    }

    private static async Task<bool> CopyAsync(
        Uri source,
        Stream body,
        PartialDownload partial,
        DownloadCheck check,
        IProgress<DownloadProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        var total = partial.Notes?.Total;
        var reported = 0L;
        var received = 0L;
        await using var file = partial.OpenForAppending();
        var buffer = new byte[BufferBytes];
        while (true)
        {
            int read;
            try
            {
                read = await body.ReadAsync(buffer, cancellationToken);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException)
            {
                if (received > 0 && check.CanResume)
                {
                    return false;
                }

                throw new HttpRequestException($"The connection to '{source}' broke before anything arrived.", exception);
            }

            if (read == 0)
            {
                break;
            }

            // Bytes that have come are kept even when the slice ends here.
            await file.WriteAsync(buffer.AsMemory(0, read), CancellationToken.None);
            received += read;
            check.ThrowIfTooLong(file.Length);

            if (received - reported >= ReportEveryBytes)
            {
                reported = received;
                progress?.Report(new DownloadProgress(file.Length, total));
            }
        }

        await file.FlushAsync(cancellationToken);
        file.Flush(flushToDisk: true);
        if (total is null || file.Length == total)
        {
            return true;
        }

        return received > 0 && check.CanResume
            ? false
            : throw new HttpRequestException($"'{source}' ended after {file.Length} of {total} bytes.");
    }
}
