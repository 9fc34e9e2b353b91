using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Distributed.Pipeline;

/// <summary>Logs runs that go on to their next stage.</summary>
internal static partial class RunLog
{
    public static async Task DatasetReadyAsync(ILogger logger, CatalogContext catalog, Guid runId, DateTime now, CancellationToken token)
    {
        var run = await catalog
            .Runs.Where(row => row.Id == runId)
            .Join(catalog.Ingestions, row => row.IngestionKey, row => row.Key, (row, input) => new { row.IngestingAt, input.Summary })
            .SingleAsync(token);
        var seconds = Run.SecondsBetween(run.IngestingAt, now);
        LogDataset(logger, run.Summary?.Images, run.Summary?.Classes, run.Summary?.SkippedCount, seconds);
    }

    public static async Task FeaturesReadyAsync(ILogger logger, CatalogContext catalog, Guid runId, DateTime now, CancellationToken token)
    {
        var run = await catalog
            .Runs.Where(row => row.Id == runId)
            .Select(row => new { row.ExtractingAt, row.FeatureCacheHit })
            .SingleAsync(token);
        var seconds = Run.SecondsBetween(run.ExtractingAt, now);
        LogFeatures(logger, run.FeatureCacheHit == true ? "cached" : "computed", seconds);
    }

    public static async Task HeadTrainedAsync(ILogger logger, CatalogContext catalog, Guid runId, DateTime now, CancellationToken token)
    {
        var run = await catalog
            .Runs.Where(row => row.Id == runId)
            .Select(row => new { row.TrainingAt, row.TrainImages })
            .SingleAsync(token);
        var seconds = Run.SecondsBetween(run.TrainingAt, now);
        LogTrained(logger, run.TrainImages, seconds);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Data set ready: {Images} images of {Classes} classes, {Skipped} files skipped, after {Seconds:F1} s"
    )]
    private static partial void LogDataset(ILogger logger, int? images, int? classes, int? skipped, double? seconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Features ready: {How}, after {Seconds:F1} s")]
    private static partial void LogFeatures(ILogger logger, string how, double? seconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Head trained on {Images} images, after {Seconds:F1} s")]
    private static partial void LogTrained(ILogger logger, int? images, double? seconds);
}
