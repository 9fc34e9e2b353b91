using System.Linq.Expressions;
using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Distributed.Catalog;

/// <summary>What came of a submission.</summary>
public enum SubmitOutcome
{
    /// <summary>A new run.</summary>
    Created,

    /// <summary>The same submission was accepted before.</summary>
    Repeated,

    /// <summary>The key or id stands for a run with another specification.</summary>
    Conflict,
}

/// <summary>What came of a submission.</summary>
/// <param name="Outcome">What came of it.</param>
/// <param name="Run">The run as it stands in the catalog, which is the earlier one when it was submitted before.</param>
/// <param name="Job">The first job of a new run, whose message is to be sent; null where there is none.</param>
public sealed record Submission(SubmitOutcome Outcome, Run Run, Job? Job);

/// <summary>
/// The guarded transitions of a run. A transition is one UPDATE that names the state it leaves; whoever changes the row
/// plans what comes next in the same transaction, and nobody else does.
/// </summary>
public sealed partial class RunFlow(IDbContextFactory<CatalogContext> contexts, TimeProvider time, ILogger<RunFlow> logger)
{
    private const int MostAtOnce = 100;

    /// <summary>Enters a run and plans its first job.</summary>
    public async Task<Submission> SubmitAsync(Run run, AuditActor actor, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(run);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            context.Runs.Add(run);
            context.Audit(actor, AuditAction.RunSubmitted, $"{run.Id:D}", Now(), run.Name);
            Job? job = null;
            if (!run.State.IsFinal())
            {
                var scope = JobKey.ScopeOf(run.Id);
                context.RunDependencies.Add(new RunDependency { RunId = run.Id, Scope = scope });
                job = context.PlanJobs(JobKind.IngestDataset, scope, [0], run.TraceParent, Now())[0];
                job.Priority = run.Priority;
            }

            await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await context.SaveChangesAsync(cancellationToken);
            if (run.TimeLimit is { } limit)
            {
                // By the clock that judges it.
                await context
                    .Runs.Where(row => row.Id == run.Id)
                    .ExecuteUpdateAsync(row => row.SetProperty(r => r.Deadline, r => DateTime.UtcNow.AddSeconds(limit)), cancellationToken);
            }

            await transaction.CommitAsync(cancellationToken);
            return new Submission(SubmitOutcome.Created, run, job);
        }
        catch (DbUpdateException)
        {
            // Submitted before, or twice at once. To look first would cost all others a round trip.
            var known = await FindAsync(run, cancellationToken);
            if (known is null)
            {
                throw;
            }

            var isSame = ContractJson.IsSame(run.Specification, known.Specification);
            return new Submission(isSame ? SubmitOutcome.Repeated : SubmitOutcome.Conflict, known, Job: null);
        }
    }

    /// <summary>Enters a run that was not accepted, where its sender has no other answer to read: as failed, with the reason.</summary>
    public async Task<SubmitOutcome> RefuseAsync(Guid runId, string reason, CancellationToken cancellationToken)
    {
        var now = Now();
        var (outcome, _, _) = await SubmitAsync(
            new Run
            {
                Id = runId,
                Tags = [],
                Specification = ContractJson.Write(new RunSpecification()),
                State = RunState.Failed,
                Failure = reason,
                FailureCause = FailureCause.Input,
                SubmittedAt = now,
                FinishedAt = now,
            },
            AuditActor.Message,
            cancellationToken
        );
        return outcome;
    }

    /// <summary>Moves a run on, inside a transaction.</summary>
    /// <returns>False when the run is not in the state it is to leave: then nothing was done, and nothing is to be planned.</returns>
    public async Task<bool> MoveAsync(CatalogContext context, Guid runId, RunState from, RunState to, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var now = Now();
        return await context
                .Runs.Where(run => run.Id == runId && run.State == from)
                .ExecuteUpdateAsync(
                    run =>
                        run.SetProperty(r => r.State, to)
                            .SetProperty(r => r.IngestingAt, r => to == RunState.Ingesting ? now : r.IngestingAt)
                            .SetProperty(r => r.ExtractingAt, r => to == RunState.Extracting ? now : r.ExtractingAt)
                            .SetProperty(r => r.TrainingAt, r => to == RunState.Training ? now : r.TrainingAt)
                            .SetProperty(r => r.EvaluatingAt, r => to == RunState.Evaluating ? now : r.EvaluatingAt)
                            .SetProperty(r => r.FinishedAt, r => to == RunState.Completed ? now : r.FinishedAt),
                    cancellationToken
                ) == 1;
    }

    /// <summary>A download is complete: the runs that wait for it look again what they still need.</summary>
    /// <returns>Scopes that have new jobs.</returns>
    public async Task<IReadOnlyList<string>> DownloadCompletedAsync(string downloadKey, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (!await context.Downloads.AnyAsync(d => d.Key == downloadKey && d.CompletedAt != null, cancellationToken))
        {
            return [];
        }

        // Those that know their images by now need no look again.
        Expression<Func<Run, bool>> waits = run =>
            run.State == RunState.Ingesting
            && run.IngestionKey == null
            && context.RunDependencies.Any(dependency => dependency.RunId == run.Id && dependency.Scope == downloadKey);
        return await ForEachWaitingAsync(
            context,
            downloadKey,
            waits,
            JobKind.IngestDataset,
            async (inner, run) =>
            {
                // Leaving and entering the same state takes the row's lock, so that two downloads that end together plan one job.
                if (!await MoveAsync(inner, run.Id, RunState.Ingesting, RunState.Ingesting, cancellationToken))
                {
                    return false;
                }

                var scope = JobKey.ScopeOf(run.Id);
                var steps = inner.Jobs.Where(job => job.Kind == JobKind.IngestDataset && job.Scope == scope);
                if (
                    await steps.AnyAsync(job => job.State != JobState.Done, cancellationToken)
                    || await inner.Runs.AnyAsync(row => row.Id == run.Id && row.IngestionKey != null, cancellationToken)
                )
                {
                    return false;
                }

                var next = await steps.MaxAsync(job => job.Step, cancellationToken) + 1;
                inner.PlanJobs(JobKind.IngestDataset, scope, [next], run.TraceParent, Now());
                return true;
            },
            cancellationToken
        );
    }

    /// <summary>Looks whether all parts of an ingestion are packed, and plans its completion if so.</summary>
    /// <returns>Scopes that have new jobs.</returns>
    public async Task<IReadOnlyList<string>> PartPackedAsync(string ingestionKey, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var jobs = context.Jobs.Where(job => job.Scope == ingestionKey);
        if (
            await jobs.AnyAsync(job => job.Kind == JobKind.PackImages && job.State != JobState.Done, cancellationToken)
            || !await jobs.AnyAsync(job => job.Kind == JobKind.PackImages, cancellationToken)
            || await jobs.AnyAsync(job => job.Kind == JobKind.CompleteDataset, cancellationToken)
        )
        {
            return [ingestionKey];
        }

        var traceParent = await jobs.Select(job => job.TraceParent).FirstAsync(cancellationToken);
        context.PlanJobs(JobKind.CompleteDataset, ingestionKey, [0], traceParent, Now());
        try
        {
            await context.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException)
        {
            // The last two parts ended together and the other one planned it: the job's unique key lets one through.
            if (!await jobs.AnyAsync(job => job.Kind == JobKind.CompleteDataset, cancellationToken))
            {
                throw;
            }
        }

        return [ingestionKey];
    }

    /// <summary>Looks whether a data set is complete, and moves the runs on that wait for it.</summary>
    /// <returns>Scopes that have new jobs.</returns>
    public async Task<IReadOnlyList<string>> DatasetIngestedAsync(string ingestionKey, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ingested = await context
            .Ingestions.Where(ingestion => ingestion.Key == ingestionKey && ingestion.CompletedAt != null)
            .Select(ingestion => new { ingestion.DatasetSha256, ingestion.Summary })
            .SingleOrDefaultAsync(cancellationToken);
        if (ingested?.DatasetSha256 is not { } dataset)
        {
            return [];
        }

        return await ForEachWaitingAsync(
            context,
            ingestionKey,
            run => run.IngestionKey == ingestionKey && run.State == RunState.Ingesting,
            JobKind.PlanFeatures,
            async (inner, run) =>
            {
                if (!await MoveAsync(inner, run.Id, RunState.Ingesting, RunState.Extracting, cancellationToken))
                {
                    return false;
                }

                await inner
                    .Runs.Where(r => r.Id == run.Id)
                    .ExecuteUpdateAsync(r => r.SetProperty(x => x.DatasetSha256, dataset), cancellationToken);
                inner.PlanJobs(JobKind.PlanFeatures, JobKey.ScopeOf(run.Id), [0], run.TraceParent, Now());
                return true;
            },
            cancellationToken,
            run =>
                Tell(
                    run,
                    run.IngestingAt,
                    seconds => LogDataset(ingested.Summary?.Images, ingested.Summary?.Classes, ingested.Summary?.SkippedCount, seconds)
                )
        );
    }

    /// <summary>Looks whether all shards of a feature set are done, and moves the runs on that wait for it.</summary>
    /// <returns>Scopes that have new jobs.</returns>
    public async Task<IReadOnlyList<string>> ShardExtractedAsync(string featureSetKey, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (
            await context.Jobs.AnyAsync(
                job => job.Kind == JobKind.ExtractFeatures && job.Scope == featureSetKey && job.State != JobState.Done,
                cancellationToken
            )
        )
        {
            return [featureSetKey];
        }

        var now = Now();
        await context
            .FeatureSets.Where(set => set.Key == featureSetKey && set.CompletedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(s => s.CompletedAt, now), cancellationToken);

        return await ForEachWaitingAsync(
            context,
            featureSetKey,
            run => run.FeatureSetKey == featureSetKey && run.State == RunState.Extracting,
            JobKind.TrainHead,
            async (inner, run) =>
            {
                if (!await MoveAsync(inner, run.Id, RunState.Extracting, RunState.Training, cancellationToken))
                {
                    return false;
                }

                inner.PlanJobs(JobKind.TrainHead, JobKey.ScopeOf(run.Id), [0], run.TraceParent, Now());
                return true;
            },
            cancellationToken,
            run => Tell(run, run.ExtractingAt, seconds => LogFeatures(run.FeatureCacheHit == true ? "cached" : "computed", seconds))
        );
    }

    /// <summary>
    /// Looks again what follows from all that open runs wait for: a worker may have died between the commit of the last job
    /// and its look, and where no broker redelivers its message, nobody else would.
    /// </summary>
    /// <returns>Scopes that may have new jobs.</returns>
    public async Task<IReadOnlyList<string>> ReconcileAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var downloads = await context
            .Downloads.Where(download =>
                download.CompletedAt != null
                && context.RunDependencies.Any(d =>
                    d.Scope == download.Key
                    && context.Runs.Any(run => run.Id == d.RunId && run.State == RunState.Ingesting && run.IngestionKey == null)
                )
            )
            .Select(download => download.Key)
            .ToListAsync(cancellationToken);
        var ingestions = await context
            .Runs.Where(run => run.State == RunState.Ingesting && run.IngestionKey != null)
            .Select(run => run.IngestionKey!)
            .Distinct()
            .ToListAsync(cancellationToken);
        var featureSets = await context
            .Runs.Where(run => run.State == RunState.Extracting && run.FeatureSetKey != null)
            .Select(run => run.FeatureSetKey!)
            .Distinct()
            .ToListAsync(cancellationToken);

        var scopes = new List<string>();
        foreach (var download in downloads)
        {
            scopes.AddRange(await DownloadCompletedAsync(download, cancellationToken));
        }

        foreach (var ingestion in ingestions)
        {
            scopes.AddRange(await PartPackedAsync(ingestion, cancellationToken));
            scopes.AddRange(await DatasetIngestedAsync(ingestion, cancellationToken));
        }

        foreach (var featureSet in featureSets)
        {
            scopes.AddRange(await ShardExtractedAsync(featureSet, cancellationToken));
        }

        scopes.AddRange(await WakeAsync(cancellationToken));
        return scopes;
    }

    /// <summary>Lets jobs go on that waited for files which have been made again: nothing earlier of their runs is left to do.</summary>
    /// <returns>Scopes that have jobs to send.</returns>
    public async Task<IReadOnlyList<string>> WakeAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var needed = context.OpenDependencies();
        var scopes = new List<string>();
        foreach (var job in await context.Jobs.AsNoTracking().Where(job => job.State == JobState.Blocked).ToListAsync(cancellationToken))
        {
            var earlier = Enum.GetValues<JobKind>().Where(kind => kind < job.Kind).ToList();
            var isBlocked = await context.Jobs.AnyAsync(
                before =>
                    before.State != JobState.Done
                    && earlier.Contains(before.Kind)
                    && needed.Any(other =>
                        other.Scope == before.Scope && context.RunDependencies.Any(d => d.RunId == other.RunId && d.Scope == job.Scope)
                    ),
                cancellationToken
            );
            if (!isBlocked && await context.UnblockAsync(job.Id, cancellationToken))
            {
                scopes.Add(job.Scope);
            }
        }

        return scopes;
    }

    /// <summary>Cancels a run.</summary>
    /// <returns>False when it is unknown or final already.</returns>
    public async Task<bool> CancelAsync(Guid runId, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (await EndAsync(context.Runs.Where(run => run.Id == runId), RunState.Cancelled, failure: null, Now(), cancellationToken) == 0)
        {
            return false;
        }

        context.Audit(actor, AuditAction.RunCancelled, $"{runId:D}", Now());
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>Fails every open run that needs a scope.</summary>
    public async Task FailAsync(string scope, RunFailure failure, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await FailDependentsAsync(context, scope, failure, Now(), cancellationToken);
    }

    internal static Task FailDependentsAsync(
        CatalogContext context,
        string scope,
        RunFailure failure,
        DateTime now,
        CancellationToken cancellationToken
    )
    {
        var dependents = context.RunDependencies.Where(dependency => dependency.Scope == scope).Select(dependency => dependency.RunId);
        return EndAsync(context.Runs.Where(run => dependents.Contains(run.Id)), RunState.Failed, failure, now, cancellationToken);
    }

    private async Task<Run?> FindAsync(Run run, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context
            .Runs.AsNoTracking()
            .FirstOrDefaultAsync(
                known => known.Id == run.Id || (run.IdempotencyKey != null && known.IdempotencyKey == run.IdempotencyKey),
                cancellationToken
            );
    }

    internal static Task<int> EndAsync(
        IQueryable<Run> runs,
        RunState state,
        RunFailure? failure,
        DateTime now,
        CancellationToken cancellationToken
    )
    {
        var (reason, cause) = (failure?.Reason, failure?.Cause);
        return runs.Where(run => RunStates.Open.Contains(run.State))
            .ExecuteUpdateAsync(
                run =>
                    run.SetProperty(r => r.State, state)
                        .SetProperty(r => r.Failure, reason)
                        .SetProperty(r => r.FailureCause, cause)
                        .SetProperty(r => r.FinishedAt, now),
                cancellationToken
            );
    }

    /// <summary>
    /// Moves on the runs that wait for a shared scope. Only those are looked at: thousands of others may need the scope and
    /// have gone on long ago, or not come to it yet, and this is asked after every job.
    /// </summary>
    /// <param name="context">Reads.</param>
    /// <param name="scope">The scope.</param>
    /// <param name="waits">Which runs wait for it.</param>
    /// <param name="next">The kind of job that comes next for them.</param>
    /// <param name="move">Moves one on in a transaction; false where somebody else has.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <param name="tell">Tells of one that was moved on, once that is committed.</param>
    /// <returns>Scopes that may have jobs to send.</returns>
    private async Task<IReadOnlyList<string>> ForEachWaitingAsync(
        CatalogContext context,
        string scope,
        Expression<Func<Run, bool>> waits,
        JobKind next,
        Func<CatalogContext, WaitingRun, Task<bool>> move,
        CancellationToken cancellationToken,
        Action<WaitingRun>? tell = null
    )
    {
        var waiting = await context
            .Runs.Where(waits)
            .Select(run => new WaitingRun(run.Id, run.TraceParent, run.FeatureCacheHit, run.IngestingAt, run.ExtractingAt))
            .ToListAsync(cancellationToken);
        var scopes = new List<string> { scope };
        foreach (var run in waiting)
        {
            await using var inner = await contexts.CreateDbContextAsync(cancellationToken);
            await using var transaction = await inner.Database.BeginTransactionAsync(cancellationToken);
            if (await move(inner, run))
            {
                await inner.SaveChangesAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                tell?.Invoke(run);
            }

            // Also where nothing was moved: whoever moved it may have died before sending the message.
            scopes.Add(JobKey.ScopeOf(run.Id));
        }

        // Whoever moved others may have died before sending their messages, too.
        scopes.AddRange(
            await context
                .Jobs.Where(job =>
                    job.State == JobState.Pending
                    && job.DispatchedAt == null
                    && job.Kind == next
                    && context.RunDependencies.Any(own =>
                        own.Scope == job.Scope
                        && context.RunDependencies.Any(dependency => dependency.RunId == own.RunId && dependency.Scope == scope)
                    )
                )
                .OrderBy(job => job.Id)
                .Select(job => job.Scope)
                .Take(MostAtOnce)
                .ToListAsync(cancellationToken)
        );
        return scopes;
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;

    private void Tell(WaitingRun run, DateTime? since, Action<double?> log)
    {
        using var scope = logger.BeginRun(run.Id, run.TraceParent);
        log(Run.SecondsBetween(since, Now()));
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Data set ready: {Images} images of {Classes} classes, {Skipped} files skipped, after {Seconds:F1} s"
    )]
    private partial void LogDataset(int? images, int? classes, int? skipped, double? seconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Features ready: {How}, after {Seconds:F1} s")]
    private partial void LogFeatures(string how, double? seconds);

    private sealed record WaitingRun(Guid Id, string? TraceParent, bool? FeatureCacheHit, DateTime? IngestingAt, DateTime? ExtractingAt);
}
