using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Messaging;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Retention;

/// <summary>Collects from time to time, the first time when an interval has passed.</summary>
internal sealed partial class CollectionTimer(
    Collector collector,
    CatalogMigration catalog,
    OutageRetry outages,
    IOptions<RetentionOptions> options,
    TimeProvider time,
    ILogger<CollectionTimer> logger
) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await catalog.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(options.Value.Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await outages.RunAsync(token => collector.CollectAsync(dryRun: false, force: false, token), stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // What could not be removed now is removed another time.
                LogFailed(exception);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The volume could not be collected")]
    private partial void LogFailed(Exception exception);
}
