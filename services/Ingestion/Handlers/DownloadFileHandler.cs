using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Downloads;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.Ingestion.Handlers;

/// <summary>Fetches the next slice of a file; what has come stays on the volume, so any worker can go on.</summary>
internal sealed partial class DownloadFileHandler(
    Volume volume,
    DownloadSources sources,
    IHttpClientFactory clients,
    IOptions<IngestionOptions> options,
    TimeProvider time,
    ILogger<DownloadFileHandler> logger
) : IJobHandler<DownloadFile>
{
    /// <summary>Name of the HTTP client of downloads.</summary>
    public const string ClientName = "downloads";

    private const int MostTries = 4;

    public async Task<JobWrite> ExecuteAsync(DownloadFile job, JobLease lease, CancellationToken cancellationToken)
    {
        var source = sources.Find(job.Scope);
        var outcome = await FetchAsync(source, cancellationToken);
        IngestionTelemetry.RecordDownload(outcome.Received);
        LogProgress(
            outcome.Finished ? LogLevel.Information : LogLevel.Debug,
            source.Title,
            outcome.BytesSoFar >> 20,
            (outcome.Total ?? outcome.BytesSoFar) >> 20
        );
        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                var now = time.GetUtcNow().UtcDateTime;
                await context
                    .Downloads.Where(download => download.Key == source.Key)
                    .ExecuteUpdateAsync(
                        download =>
                            download
                                .SetProperty(d => d.BytesDone, outcome.BytesSoFar)
                                .SetProperty(d => d.BytesTotal, outcome.Total)
                                .SetProperty(d => d.CompletedAt, outcome.Finished ? now : null),
                        token
                    );
                if (!outcome.Finished)
                {
                    context.PlanNextSlice(lease, now);
                }
            }
        );
    }

    private async Task<DownloadOutcome> FetchAsync(DownloadSource source, CancellationToken cancellationToken)
    {
        var target = volume.FullPath(source.Path);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var limits = new DownloadLimits(options.Value.DownloadBytes, options.Value.DownloadTime);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await ResumableDownload.FetchAsync(
                    clients.CreateClient(ClientName),
                    source.Url,
                    target,
                    source.Expectation,
                    limits,
                    options.Value.DownloadSlice,
                    time,
                    progress: null,
                    cancellationToken
                );
            }
            catch (HttpRequestException exception) when (attempt < MostTries)
            {
                LogRetry(source.Title, source.Url, exception.Message);
                await Task.Delay(TimeSpan.FromSeconds(attempt), time, cancellationToken);
            }
            catch (HttpRequestException exception)
            {
                throw new DatasetException(
                    $"Could not download {source.Title} from {source.Url}: {exception.Message}. Check the network, or put the file at {target} yourself, then submit the run again.",
                    exception
                );
            }
        }
    }

    [LoggerMessage(Message = "Downloaded {Done} of {Total} MB of {Title}")]
    private partial void LogProgress(LogLevel level, string title, long done, long total);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The download of {Title} from {Url} broke off: {Reason}; trying again")]
    private partial void LogRetry(string title, Uri url, string reason);
}
