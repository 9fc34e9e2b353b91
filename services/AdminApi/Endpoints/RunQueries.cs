using System.Text.Json;
using Distributed.AdminApi.Listing;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Reads runs for people.</summary>
/// <param name="contexts">The catalog.</param>
/// <param name="telemetry">Where traces and logs can be looked at.</param>
/// <param name="workers">Which workers are connected; null where all are in this process.</param>
public sealed class RunQueries(
    IDbContextFactory<CatalogContext> contexts,
    IOptions<TelemetryOptions> telemetry,
    WorkerPresence? workers = null
)
{
    /// <summary>The runs that have not ended, the latest first.</summary>
    public async Task<IReadOnlyList<Guid>> ListOpenAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.OpenRuns().OrderByDescending(run => run.SubmittedAt).Select(run => run.Id).ToListAsync(cancellationToken);
    }

    /// <summary>A run in full; null when there is none.</summary>
    public async Task<RunDetail?> FindAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        // At once, since a run goes on while it is read.
        var found = await RunColumns
            .Of(context, context.Runs.Where(row => row.Id == runId))
            .Join(context.Runs, columns => columns.RunId, run => run.Id, (columns, run) => new { columns, run })
            .AsNoTracking()
            .SingleOrDefaultAsync(cancellationToken);
        if (found is null)
        {
            return null;
        }

        var run = found.run;
        var progress = await RunStages.MeasureAsync(context, run, cancellationToken);
        var summary = found.columns.ToSummary(progress);
        var traceId = JobTelemetry.TraceIdOf(run.TraceParent);
        var head = await context.BestHeads(runId).AsNoTracking().FirstOrDefaultAsync(cancellationToken);
        var input = await context
            .Ingestions.Where(ingestion => ingestion.Key == run.IngestionKey)
            .Select(ingestion => ingestion.Summary)
            .SingleOrDefaultAsync(cancellationToken);
        return new RunDetail
        {
            Summary = summary,
            Specification = Parse(run.Specification),
            Progress = progress,
            Revision = run.Revision,
            Waiting = run.State.IsFinal() ? null : await FindCauseAsync(context, runId, cancellationToken),
            DatasetSha256 = run.DatasetSha256,
            Input = input,
            Warnings = input is null
                ? []
                : RunWarnings.Of(
                    run,
                    ContractJson.Read(run.Specification),
                    input,
                    run.State == RunState.Completed ? await ReadClassesAsync(context, runId, cancellationToken) : []
                ),
            FeatureSetKey = run.FeatureSetKey,
            FeatureCacheHit = run.FeatureCacheHit,
            TrainImages = run.TrainImages,
            ValidationImages = run.ValidationImages,
            TestImages = run.TestImages,
            RemovedDuplicates = run.RemovedDuplicates,
            HeadSha256 = head?.File.Sha256,
            Seconds = summary.Seconds,
            Environment = run.Environment is { } environment ? Parse(environment) : null,
            TraceId = traceId,
            Links = TelemetryLinks.Of(telemetry.Value, traceId, runId),
            Predictions = await FindPredictionsAsync(context, runId, cancellationToken),
            ReportUrl =
                run.State == RunState.Completed
                && await context.Evaluations.AnyAsync(row => row.RunId == runId && row.Report != null, cancellationToken)
                    ? $"/api/v1/runs/{runId:D}/report"
                    : null,
        };
    }

    /// <summary>What was measured of a run; null when there is none.</summary>
    public async Task<RunMetrics?> FindMetricsAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (!await context.Runs.AnyAsync(run => run.Id == runId, cancellationToken))
        {
            return null;
        }

        var classes = await ReadClassesAsync(context, runId, cancellationToken);
        var evaluation = await context.Evaluations.AsNoTracking().SingleOrDefaultAsync(row => row.RunId == runId, cancellationToken);
        var audit = evaluation is null
            ? null
            : await context.DatasetAudits.AsNoTracking().SingleOrDefaultAsync(row => row.Key == evaluation.AuditKey, cancellationToken);
        var epochs = await context.EpochsOf(runId, evaluation?.Trial ?? 0).AsNoTracking().ToListAsync(cancellationToken);
        return new RunMetrics(
            [
                .. epochs
                    .Where(row => row.Penalty is null)
                    .Select(row => new EpochResult(
                        row.Epoch,
                        row.TrainLoss,
                        row.TrainAccuracy,
                        row.ValidationLoss,
                        row.ValidationAccuracy,
                        row.LearningRate
                    )),
            ],
            [
                .. epochs
                    .Where(row => row.Penalty is not null)
                    .Select(row => new PenaltyResult(
                        row.Penalty!.Value,
                        row.TrainLoss,
                        row.TrainAccuracy,
                        row.ValidationLoss,
                        row.ValidationAccuracy
                    )),
            ],
            evaluation is null
                ? null
                : new EvaluationResult
                {
                    TestImages = evaluation.TestImages,
                    TestAccuracy = evaluation.TestAccuracy,
                    TestAccuracyLow = evaluation.TestAccuracyLow,
                    TestAccuracyHigh = evaluation.TestAccuracyHigh,
                    TestLoss = evaluation.TestLoss,
                    TopK = evaluation.TopK,
                    TopKAccuracy = evaluation.TopKAccuracy,
                    MacroF1 = evaluation.MacroF1,
                    MacroF1Classes = classes.Count(metric => metric.F1 is not null),
                    Classes = classes,
                    Temperature = evaluation.Temperature,
                    CalibrationError = evaluation.CalibrationError,
                    UncalibratedError = evaluation.UncalibratedError,
                    Reliability = Parse(evaluation.Reliability),
                    JudgedLabels = audit?.JudgedLabels,
                    DoubtedLabels = audit?.DoubtedLabels,
                    LeakedTestImages = evaluation.LeakedTestImages,
                    UnleakedAccuracy = evaluation.UnleakedAccuracy,
                    UnleakedAccuracyLow = evaluation.UnleakedAccuracyLow,
                    UnleakedAccuracyHigh = evaluation.UnleakedAccuracyHigh,
                    ConfusionMatrix = Parse(evaluation.ConfusionMatrix),
                }
        );
    }

    private static async Task<PredictionSummary?> FindPredictionsAsync(
        CatalogContext context,
        Guid runId,
        CancellationToken cancellationToken
    )
    {
        var found = await context.DatasetPredictions.AsNoTracking().SingleOrDefaultAsync(row => row.RunId == runId, cancellationToken);
        return found is null
            ? null
            : new PredictionSummary(
                found.Images,
                JsonSerializer.Deserialize<IReadOnlyList<PredictedClass>>(found.Classes, JsonSerializerOptions.Web)!,
                $"/api/v1/runs/{runId:D}/predictions.csv",
                $"/api/v1/runs/{runId:D}/predictions.jsonl"
            );
    }

    /// <summary>What jobs that the run needs wait for: what their attempts say while they last, the damage that is being recomputed, or a worker.</summary>
    private async Task<string?> FindCauseAsync(CatalogContext context, Guid runId, CancellationToken cancellationToken)
    {
        var jobs = context.Jobs.Where(job => context.RunDependencies.Any(d => d.RunId == runId && d.Scope == job.Scope));
        return await jobs.Where(job => job.State == JobState.Running)
                .Join(
                    context.Attempts.Where(attempt => attempt.EndedAt == null && attempt.WaitingFor != null),
                    job => job.Attempt,
                    attempt => attempt.Token,
                    (_, attempt) => attempt.WaitingFor
                )
                .FirstOrDefaultAsync(cancellationToken)
            ?? await jobs.Where(job => job.State == JobState.Blocked).Select(job => job.LastError).FirstOrDefaultAsync(cancellationToken)
            ?? await FindMissingWorkerAsync(jobs, cancellationToken);
    }

    private async Task<string?> FindMissingWorkerAsync(IQueryable<Job> jobs, CancellationToken cancellationToken)
    {
        if (workers?.Missing is not { Count: > 0 } missing)
        {
            return null;
        }

        // A worker that holds one of them is there, whatever the broker said some seconds ago.
        var claimed = jobs.Where(job => job.State == JobState.Running && job.LeaseUntil >= DateTime.UtcNow).Select(job => job.Kind);
        var waiting = await jobs.Unclaimed()
            .Where(job => missing.Contains(job.Kind) && !claimed.Contains(job.Kind))
            .Select(job => job.Kind)
            .Distinct()
            .ToListAsync(cancellationToken);
        return waiting.Count == 0 ? null : workers.Describe(waiting);
    }

    private static Task<List<ClassMetric>> ReadClassesAsync(CatalogContext context, Guid runId, CancellationToken cancellationToken) =>
        context
            .ClassMetrics.AsNoTracking()
            .Where(metric => metric.RunId == runId)
            .OrderBy(metric => metric.Label)
            .ToListAsync(cancellationToken);

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
