using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Pipeline;

/// <summary>
/// Has damaged or missing files of the volume recomputed. A job that cannot read a file is blocked, and the job that made the file is
/// requeued, in one transaction; the reader is unblocked when that is done (<see cref="IJobFlow.UnblockAsync"/>). The rows stay as they
/// are until then, naming a file that no reader accepts as whole.
/// </summary>
public sealed class FileRecovery(JobStages stages, JobStore store, CheckpointRecovery checkpoints, JobOptions options) : IJobRecovery
{
    /// <inheritdoc />
    public bool IsDamage(Exception exception) => exception is StoredFileException;

    /// <inheritdoc />
    public async Task<IReadOnlyList<string>?> RecoverAsync(JobLease lease, Exception exception, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        if (exception is not StoredFileException { Paths: { Count: > 0 } paths })
        {
            return null;
        }

        var scopes = new List<string> { lease.Job.Scope };
        var isHopeless = false;
        await store.SuspendAsync(
            lease,
            exception.Message,
            async context =>
            {
                var catalog = (CatalogContext)context;
                var state = JobState.Pending;
                foreach (var path in paths)
                {
                    var plan =
                        await checkpoints.PlanAsync(catalog, lease, path, cancellationToken)
                        ?? await PlanAsync(catalog, lease.Job, path, exception.Message, cancellationToken);
                    isHopeless |= plan.IsHopeless;
                    state = plan.Waits ? JobState.Blocked : state;
                    scopes.AddRange(plan.Scopes);
                }

                return isHopeless ? null : state;
            },
            cancellationToken
        );
        return isHopeless ? null : scopes;
    }

    private async Task<RecoveryPlan> PlanAsync(
        CatalogContext context,
        JobKey reader,
        string path,
        string reason,
        CancellationToken cancellationToken
    )
    {
        if (await FindMakerAsync(context, reader, path, cancellationToken) is not var (maker, isShared))
        {
            // Another reader was first, and the file has been recomputed under another name; or it is none that a job makes.
            return RecoveryPlan.TryAgain;
        }

        var job = context.Job(maker);
        var made = await context.Attempts.CountAsync(
            attempt => attempt.Outcome == AttemptOutcome.Done && job.Any(row => row.Id == attempt.JobId),
            cancellationToken
        );
        if (made >= options.MaxAttempts || !await job.AnyAsync(cancellationToken))
        {
            return RecoveryPlan.Hopeless;
        }

        await context.RequeueAsync(maker, reason, cancellationToken);
        if (isShared)
        {
            // The runs may have come to the reader by another way than the maker's scope, and jobs are done for open runs only.
            foreach (var run in await context.OpenRunsThatNeed(reader.Scope).Select(run => run.Id).ToListAsync(cancellationToken))
            {
                await context.DependAsync(run, maker.Scope, cancellationToken);
            }
        }

        return RecoveryPlan.WaitFor(maker.Scope);
    }

    private async Task<(JobKey Maker, bool IsShared)?> FindMakerAsync(
        CatalogContext context,
        JobKey reader,
        string path,
        CancellationToken cancellationToken
    )
    {
        foreach (var stage in stages.All)
        {
            foreach (var made in (stage as IRunStage)?.Makes ?? [])
            {
                if (await made.Find(context, path).FirstOrDefaultAsync(cancellationToken) is { } found)
                {
                    return await FindJobAsync(context, stage.Kind, made, found, reader, cancellationToken) is { } maker
                        ? (maker, made.IsShared)
                        : null;
                }
            }
        }

        return null;
    }

    private static async Task<JobKey?> FindJobAsync(
        CatalogContext context,
        string kind,
        MadeFile made,
        Maker maker,
        JobKey reader,
        CancellationToken cancellationToken
    )
    {
        var scope = maker.Scope;
        if (scope is null)
        {
            var runs = context.OpenRunsThatNeed(reader.Scope).OrderBy(run => run.SubmittedAt);
            scope =
                made.ScopeOfRun is { } of ? await of(runs).FirstOrDefaultAsync(cancellationToken)
                : await runs.Select(run => (Guid?)run.Id).FirstOrDefaultAsync(cancellationToken) is { } run ? JobKey.ScopeOf(run)
                : null;
        }

        if (scope is null)
        {
            return null;
        }

        var step =
            maker.Step
            ?? await context.Jobs.Where(job => job.Kind == kind && job.Scope == scope).MaxAsync(job => (int?)job.Step, cancellationToken);
        return step is { } known ? new JobKey(kind, scope, known) : null;
    }
}

/// <summary>What is to be done about a damaged file.</summary>
/// <param name="Waits">Whether the reader waits for a job, rather than trying again at once.</param>
/// <param name="IsHopeless">Whether nothing can recompute the file.</param>
/// <param name="Scopes">Scopes that have jobs to send.</param>
internal sealed record RecoveryPlan(bool Waits, bool IsHopeless, IReadOnlyList<string> Scopes)
{
    /// <summary>The reader tries again at once.</summary>
    public static RecoveryPlan TryAgain { get; } = new(Waits: false, IsHopeless: false, []);

    /// <summary>Nothing can recompute the file.</summary>
    public static RecoveryPlan Hopeless { get; } = new(Waits: false, IsHopeless: true, []);

    /// <summary>The reader waits for a job of a scope.</summary>
    public static RecoveryPlan WaitFor(string scope) => new(Waits: true, IsHopeless: false, [scope]);
}
