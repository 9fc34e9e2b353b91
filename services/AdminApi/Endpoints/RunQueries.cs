using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Which runs to list.</summary>
/// <param name="State">Only runs in this state.</param>
/// <param name="Tag">Only runs with this label.</param>
/// <param name="Name">Only runs whose name contains this.</param>
/// <param name="Dataset">Only runs on this data set (SHA-256).</param>
/// <param name="After">Only runs that were submitted before this one: the previous page's <c>next</c>.</param>
/// <param name="Limit">Most runs a page; 1 to 500.</param>
public sealed record RunFilter(RunState? State, string? Tag, string? Name, string? Dataset, Guid? After, int Limit);

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
    /// <summary>A page of runs, the latest first.</summary>
    public async Task<RunPage> ListAsync(RunFilter filter, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var runs = context.Runs.AsNoTracking();
        if (filter.State is { } state)
        {
            runs = runs.Where(run => run.State == state);
        }

        if (filter.Tag is { } tag)
        {
            runs = runs.Where(run => run.Tags.Contains(tag));
        }

        if (filter.Name is { } name)
        {
            runs = runs.Where(run => run.Name != null && run.Name.Contains(name));
        }

        if (filter.Dataset is { } dataset)
        {
            runs = runs.Where(run => run.DatasetSha256 == dataset);
        }

        if (filter.After is { } after)
        {
            var last = await context
                .Runs.Where(run => run.Id == after)
                .Select(run => run.SubmittedAt)
                .SingleOrDefaultAsync(cancellationToken);
            // The first half alone is a range of the index; without it all later runs would be read.
            runs = runs.Where(run => run.SubmittedAt <= last && (run.SubmittedAt < last || run.Id.CompareTo(after) < 0));
        }

        var page = await Summarize(
                context,
                runs.OrderByDescending(run => run.SubmittedAt).ThenByDescending(run => run.Id).Take(filter.Limit + 1)
            )
            .ToListAsync(cancellationToken);
        var items = page.Take(filter.Limit).ToList();
        return new RunPage(items, page.Count > filter.Limit ? items[^1].RunId : null);
    }

    /// <summary>Whether there is such a run.</summary>
    public async Task<bool> HasAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Runs.AnyAsync(run => run.Id == runId, cancellationToken);
    }

    /// <summary>A run in full; null when there is none.</summary>
    public async Task<RunDetail?> FindAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        // At once, since a run goes on while it is read.
        var found = await Summarize(context, context.Runs.Where(row => row.Id == runId))
            .Join(context.Runs, summary => summary.RunId, run => run.Id, (summary, run) => new { summary, run })
            .AsNoTracking()
            .SingleOrDefaultAsync(cancellationToken);
        if (found is null)
        {
            return null;
        }

        var (run, summary) = (found.run, found.summary);
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
            Progress = await RunStages.MeasureAsync(context, run, cancellationToken),
            Waiting = run.State.IsFinal() ? null : await FindCauseAsync(context, runId, cancellationToken),
            DatasetSha256 = run.DatasetSha256,
            Input = input,
            Warnings = input is null
                ? []
                : RunWarnings.Of(
                    run,
                    run.ReadSpecification(),
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
            Seconds = new StageSeconds(
                Run.SecondsBetween(run.IngestingAt, run.ComparingAt ?? run.ExtractingAt),
                Run.SecondsBetween(run.ExtractingAt, run.TrainingAt ?? run.PredictingAt),
                Run.SecondsBetween(run.TrainingAt, run.EvaluatingAt),
                Run.SecondsBetween(run.EvaluatingAt, run.FinishedAt),
                Run.SecondsBetween(run.PredictingAt, run.FinishedAt),
                Run.SecondsBetween(run.SubmittedAt, run.FinishedAt)
            ),
            Environment = run.Environment is { } environment ? Parse(environment) : null,
            TraceId = traceId,
            Links = TelemetryLinks.Of(telemetry.Value, traceId, runId),
            Compares = run.Candidates is not null,
            Comparison = run.ChosenBackbone is null ? null : await FindComparisonAsync(context, runId, cancellationToken),
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

    private static async Task<ComparisonResult?> FindComparisonAsync(
        CatalogContext context,
        Guid runId,
        CancellationToken cancellationToken
    )
    {
        var comparison = await context.Comparisons.AsNoTracking().SingleOrDefaultAsync(row => row.RunId == runId, cancellationToken);
        var bases = await context
            .ComparedBases.AsNoTracking()
            .Where(row => row.RunId == runId)
            .OrderBy(row => row.Position)
            .ToListAsync(cancellationToken);
        return comparison is null ? null : ComparisonResult.Of(comparison, bases);
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

    private static IQueryable<RunSummary> Summarize(CatalogContext context, IQueryable<Run> runs) =>
        from run in runs
        join evaluation in context.Evaluations on run.Id equals evaluation.RunId into evaluations
        from evaluation in evaluations.DefaultIfEmpty()
        join set in context.FeatureSets on run.FeatureSetKey equals set.Key into sets
        from set in sets.DefaultIfEmpty()
        join backbone in context.Backbones on set.BackboneSha256 equals backbone.Sha256 into backbones
        from backbone in backbones.DefaultIfEmpty()
        orderby run.SubmittedAt descending, run.Id descending
        select new RunSummary
        {
            RunId = run.Id,
            Name = run.Name,
            Tags = run.Tags,
            Submitter = run.Submitter,
            Priority = run.Priority,
            State = run.State,
            Failure = run.Failure,
            FailureCause = run.FailureCause,
            SubmittedAt = run.SubmittedAt,
            Deadline = run.Deadline,
            FinishedAt = run.FinishedAt,
            TestAccuracy = evaluation == null ? null : evaluation.TestAccuracy,
            TestAccuracyLow = evaluation == null ? null : evaluation.TestAccuracyLow,
            TestAccuracyHigh = evaluation == null ? null : evaluation.TestAccuracyHigh,
            Backbone = backbone == null ? null : backbone.Origin,
            Model = run.Model,
        };

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
