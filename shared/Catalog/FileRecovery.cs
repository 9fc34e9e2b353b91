using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>
/// Has damaged or missing files of the volume made again. A job that cannot read a file gives itself back, and the job that
/// made the file is planned again, in one transaction; the reader waits until it is done (<see cref="RunFlow.WakeAsync"/>).
/// The rows stay as they are until then, naming a file that nobody takes for whole.
/// </summary>
public sealed class FileRecovery(JobStore store, JobOptions options, TimeProvider time)
{
    /// <summary>Plans again what made the files that a job could not read, and lets the job wait.</summary>
    /// <param name="lease">The right to the job.</param>
    /// <param name="error">Names the files.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>Scopes that have jobs to send; null where nothing can make the files again, or did so too often: then the job is still held.</returns>
    public async Task<IReadOnlyList<string>?> RecoverAsync(JobLease lease, StoredFileException error, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(error);
        if (error.Paths.Count == 0)
        {
            return null;
        }

        var scopes = new List<string> { lease.Job.Scope };
        var hopeless = false;
        await store.SuspendAsync(
            lease,
            error.Message,
            async context =>
            {
                var state = JobState.Pending;
                foreach (var path in error.Paths)
                {
                    var planned = await PlanAgainAsync(context, lease, path, error.Message, cancellationToken);
                    hopeless |= planned.IsHopeless;
                    state = planned.Waits ? JobState.Blocked : state;
                    scopes.AddRange(planned.Scopes);
                }

                return hopeless ? null : state;
            },
            cancellationToken
        );
        return hopeless ? null : scopes;
    }

    private async Task<Planned> PlanAgainAsync(
        CatalogContext context,
        JobLease lease,
        string path,
        string reason,
        CancellationToken cancellationToken
    )
    {
        var reader = lease.Job;
        if (
            await context.Checkpoints.AsNoTracking().SingleOrDefaultAsync(row => row.File.Path == path, cancellationToken) is { } checkpoint
        )
        {
            return checkpoint.Kind == CheckpointKind.Last
                ? await GoBackAsync(context, checkpoint, cancellationToken)
                : await ExportAgainAsync(context, lease, checkpoint, cancellationToken);
        }

        if (await FindMakerAsync(context, reader, path, cancellationToken) is not { } maker)
        {
            // Another reader was first, and the file has been made again under another name; or it is none that a job makes.
            return new Planned(Waits: false, IsHopeless: false, []);
        }

        var job = context.Job(maker);
        var made = await context.Attempts.CountAsync(
            attempt => attempt.Outcome == AttemptOutcome.Done && job.Any(row => row.Id == attempt.JobId),
            cancellationToken
        );
        if (made >= options.MaxAttempts || !await job.AnyAsync(cancellationToken))
        {
            return new Planned(Waits: false, IsHopeless: true, []);
        }

        await context.RequeueAsync(maker, reason, cancellationToken);
        if (maker.Kind == JobKind.ExtractFeatures)
        {
            await context
                .FeatureSets.Where(set => set.Key == maker.Scope)
                .ExecuteUpdateAsync(set => set.SetProperty(s => s.CompletedAt, (DateTime?)null), cancellationToken);
        }

        if (maker.Kind is JobKind.PackImages or JobKind.CompleteDataset or JobKind.ExtractFeatures)
        {
            // The runs may have come to the reader by another way than the job's own scope, and jobs are worked on for open runs only.
            foreach (var run in await context.OpenRunsThatNeed(reader.Scope).Select(run => run.Id).ToListAsync(cancellationToken))
            {
                await context.DependAsync(run, maker.Scope, cancellationToken);
            }
        }

        return new Planned(Waits: true, IsHopeless: false, [maker.Scope]);
    }

    private static async Task<JobKey?> FindMakerAsync(
        CatalogContext context,
        JobKey reader,
        string path,
        CancellationToken cancellationToken
    )
    {
        if (await context.FeatureShards.AsNoTracking().SingleOrDefaultAsync(row => row.File.Path == path, cancellationToken) is { } shard)
        {
            return new JobKey(JobKind.ExtractFeatures, shard.FeatureSetKey, shard.Shard);
        }

        if (
            await context
                .PackedParts.AsNoTracking()
                .SingleOrDefaultAsync(row => row.Pixels.Path == path || row.Records.Path == path, cancellationToken) is
            { } part
        )
        {
            return new JobKey(JobKind.PackImages, part.IngestionKey, part.Part);
        }

        var runs = context.OpenRunsThatNeed(reader.Scope).OrderBy(run => run.SubmittedAt);
        if (await context.Datasets.AnyAsync(row => row.Manifest.Path == path, cancellationToken))
        {
            var ingestion = await runs.Select(run => run.IngestionKey).FirstOrDefaultAsync(cancellationToken);
            return ingestion is null ? null : new JobKey(JobKind.CompleteDataset, ingestion, 0);
        }

        if (await context.Ingestions.AnyAsync(row => row.Listing.Path == path, cancellationToken))
        {
            return await FindOfRunAsync(JobKind.IngestDataset);
        }

        return
            await context.Runs.AnyAsync(row => row.Split!.Path == path, cancellationToken)
            || await context.Backbones.AnyAsync(row => row.File!.Path == path, cancellationToken)
            ? await FindOfRunAsync(JobKind.PlanFeatures)
            : null;

        async Task<JobKey?> FindOfRunAsync(JobKind kind)
        {
            if (await runs.Select(run => (Guid?)run.Id).FirstOrDefaultAsync(cancellationToken) is not { } run)
            {
                return null;
            }

            var scope = JobKey.ScopeOf(run);
            var step = await context
                .Jobs.Where(job => job.Kind == kind && job.Scope == scope)
                .MaxAsync(job => (int?)job.Step, cancellationToken);
            return step is { } last ? new JobKey(kind, scope, last) : null;
        }
    }

    /// <summary>Training goes on from the checkpoint before, or from the beginning; what came after it is forgotten.</summary>
    private static async Task<Planned> GoBackAsync(CatalogContext context, Checkpoint damaged, CancellationToken cancellationToken)
    {
        var ofRun = context.Checkpoints.Where(row => row.RunId == damaged.RunId);
        var epoch = await ofRun
            .Where(row => row.Kind == CheckpointKind.Last && row.Slice < damaged.Slice)
            .OrderByDescending(row => row.Slice)
            .Select(row => row.Epoch)
            .FirstOrDefaultAsync(cancellationToken);
        await ofRun.Where(row => row.Slice >= damaged.Slice).ExecuteDeleteAsync(cancellationToken);
        await context.EpochMetrics.Where(row => row.RunId == damaged.RunId && row.Epoch > epoch).ExecuteDeleteAsync(cancellationToken);
        return new Planned(Waits: false, IsHopeless: false, []);
    }

    /// <summary>The trainer's last state holds the best head: one more slice writes it again.</summary>
    private async Task<Planned> ExportAgainAsync(
        CatalogContext context,
        JobLease lease,
        Checkpoint damaged,
        CancellationToken cancellationToken
    )
    {
        // Each time by a job of its own, so that it is the reader's attempts that tell how often.
        if (
            await context.Attempts.CountAsync(
                attempt => attempt.JobId == lease.Id && attempt.Outcome == AttemptOutcome.Blocked,
                cancellationToken
            ) >= options.MaxAttempts
        )
        {
            return new Planned(Waits: false, IsHopeless: true, []);
        }

        var scope = JobKey.ScopeOf(damaged.RunId);
        var slices = context.Jobs.Where(job => job.Kind == JobKind.TrainHead && job.Scope == scope);

        await context
            .Checkpoints.Where(row => row.RunId == damaged.RunId && row.Kind == CheckpointKind.Best)
            .ExecuteDeleteAsync(cancellationToken);
        if (!await slices.AnyAsync(job => job.State != JobState.Done, cancellationToken))
        {
            var next = (await slices.MaxAsync(job => (int?)job.Step, cancellationToken) ?? -1) + 1;
            var traceParent = await context
                .Runs.Where(run => run.Id == damaged.RunId)
                .Select(run => run.TraceParent)
                .SingleAsync(cancellationToken);
            context.PlanJobs(JobKind.TrainHead, scope, [next], traceParent, time.GetUtcNow().UtcDateTime);
        }

        return new Planned(Waits: true, IsHopeless: false, [scope]);
    }

    /// <param name="Waits">Whether the reader waits for a job, rather than trying again at once.</param>
    /// <param name="IsHopeless">Whether nothing can make the file again.</param>
    /// <param name="Scopes">Scopes that have jobs to send.</param>
    private sealed record Planned(bool Waits, bool IsHopeless, IReadOnlyList<string> Scopes);
}
