using Distributed.AdminApi.Endpoints;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Imaging;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Standalone;

/// <summary>What a completed run came to, for people and programs.</summary>
internal sealed record RunOutcome
{
    public required RunDetail Run { get; init; }

    public required EvaluationResult Evaluation { get; init; }

    /// <summary>Whether the images were packed for this run, rather than for an earlier one.</summary>
    public required bool WasIngested { get; init; }

    public required string Precision { get; init; }

    /// <summary>The report; null where none was asked for.</summary>
    public required string? ReportPath { get; init; }

    public required string HeadPath { get; init; }

    public required string VolumePath { get; init; }
}

/// <summary>Reads outcomes from catalog and volume.</summary>
internal sealed class RunOutcomeReader(
    IDbContextFactory<CatalogContext> contexts,
    RunQueries queries,
    DatasetArtifacts datasets,
    Volume volume
)
{
    public async Task<RunOutcome> ReadAsync(RunDetail run, CancellationToken cancellationToken)
    {
        var runId = run.Summary.RunId;
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var evaluation = await context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == runId, cancellationToken);
        var head = await context.BestHeads(runId).AsNoTracking().FirstAsync(cancellationToken);
        var set = await context.FeatureSets.AsNoTracking().SingleAsync(row => row.Key == run.FeatureSetKey, cancellationToken);
        var ingestedAt = await context
            .Runs.Where(row => row.Id == runId)
            .Join(context.Ingestions, row => row.IngestionKey, ingestion => ingestion.Key, (row, ingestion) => ingestion.CompletedAt)
            .SingleAsync(cancellationToken);
        return new RunOutcome
        {
            Run = run,
            Evaluation = (await queries.FindMetricsAsync(runId, cancellationToken))!.Evaluation!,
            WasIngested = ingestedAt >= run.Summary.SubmittedAt,
            Precision = ChoiceName.Of(set.Precision),
            ReportPath = evaluation.Report is { } report ? volume.FullPath(report.Path) : null,
            HeadPath = volume.FullPath(head.File.Path),
            VolumePath = volume.Root,
        };
    }

    /// <summary>Writes the splits of a run as PNG files in class folders.</summary>
    public async Task ExportPngAsync(Guid runId, string directory, CancellationToken cancellationToken)
    {
        var (run, _) = await contexts.ReadRunAsync(runId, cancellationToken);
        var manifest = await datasets.ReadManifestAsync(run.DatasetSha256!, cancellationToken);
        var split = await datasets.ReadSplitAsync(run, cancellationToken);
        using var packed = await datasets.OpenPackedAsync(run.IngestionKey!, cancellationToken);
        await PngExport.WriteAsync(packed, manifest, split, directory, progress: null, cancellationToken);
    }
}
