using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs;

/// <summary>Decides which jobs' messages are sent now, and remembers which were: so that few wait in a queue, and none is sent twice without need.</summary>
public sealed class JobOutbox(IDbContextFactory<JobsContext> contexts, JobOptions options)
{
    /// <summary>
    /// Chooses the jobs of a scope whose messages are to be sent now, at most as many as may wait, and marks
    /// them sent.
    /// </summary>
    /// <param name="scope">The scope.</param>
    /// <param name="again">Whether to send those again that were sent but not started: a message may have been lost.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<IReadOnlyList<Job>> ClaimForDispatchAsync(string scope, bool again, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ofScope = context.Jobs.AsNoTracking().Where(row => row.Scope == scope);
        var counts = await ofScope
            .Where(row => row.State == JobState.Running || (row.State == JobState.Pending && row.DispatchedAt != null))
            .GroupBy(row => row.State)
            .Select(group => new { State = group.Key, Count = group.Count() })
            .ToDictionaryAsync(group => group.State, group => group.Count, cancellationToken);
        var most = Math.Max(options.Queued, counts.GetValueOrDefault(JobState.Running));
        var queued = again ? 0 : counts.GetValueOrDefault(JobState.Pending);
        if (queued > most / 2)
        {
            return [];
        }

        var candidates = await ofScope
            .NeededByOpenRuns(context)
            .Where(row => row.State == JobState.Pending && (again || row.DispatchedAt == null))
            .OrderBy(row => row.Step)
            .Take(most - queued)
            .ToListWithPriorityAsync(context, cancellationToken);
        var claimed = new List<Job>(candidates.Count);
        // The worker that claims the first one sends the others too: workers that end together need not all try.
        if (candidates.Count == 0 || !await ClaimAsync(candidates[0]))
        {
            return claimed;
        }

        claimed.Add(candidates[0]);
        if (candidates.Count == 1)
        {
            return claimed;
        }

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        foreach (var candidate in candidates.Skip(1))
        {
            if (await ClaimAsync(candidate))
            {
                claimed.Add(candidate);
            }
        }

        await transaction.CommitAsync(cancellationToken);
        return claimed;

        async Task<bool> ClaimAsync(Job candidate) =>
            await context
                .Jobs.Where(row => row.Id == candidate.Id && row.State == JobState.Pending && (again || row.DispatchedAt == null))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.DispatchedAt, r => DateTime.UtcNow), cancellationToken) == 1;
    }

    /// <summary>Marks a new job as sent now, unless it has been started meanwhile.</summary>
    public async Task MarkDispatchedAsync(Job job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .Jobs.Where(row => row.Id == job.Id && row.State == JobState.Pending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.DispatchedAt, r => DateTime.UtcNow), cancellationToken);
    }

    /// <summary>Marks a job that waits to be started as sent now.</summary>
    /// <returns>The job, with the priority that it has now; null when it does not wait, or nobody needs it.</returns>
    public async Task<Job?> ClaimAgainAsync(JobKey job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var waiting = context.Job(job).Where(row => row.State == JobState.Pending).NeededByOpenRuns(context);
        return await waiting.ExecuteUpdateAsync(row => row.SetProperty(r => r.DispatchedAt, r => DateTime.UtcNow), cancellationToken) == 1
            ? (await context.Job(job).AsNoTracking().ToListWithPriorityAsync(context, cancellationToken)).SingleOrDefault()
            : null;
    }

    /// <summary>Marks a job as sent now whose message may be lost.</summary>
    /// <param name="job">The job as it was read.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>False when it was begun, ended or sent since it was read: then its message is not lost.</returns>
    public async Task<bool> ClaimLostAsync(Job job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        var throttle = options.Lease.TotalSeconds;
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context
                .Jobs.Where(row => row.Id == job.Id && row.State == job.State)
                .Unclaimed()
                .Where(row => row.DispatchedAt == null || row.DispatchedAt < DateTime.UtcNow.AddSeconds(-throttle))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.DispatchedAt, r => DateTime.UtcNow), cancellationToken) == 1;
    }

    /// <summary>Takes back that jobs were sent, where the message could not be.</summary>
    public async Task ReturnUndispatchedAsync(IEnumerable<Job> jobs, CancellationToken cancellationToken)
    {
        var ids = jobs.Select(job => job.Id).ToList();
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .Jobs.Where(row => ids.Contains(row.Id) && row.State == JobState.Pending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.DispatchedAt, (DateTime?)null), cancellationToken);
    }
}
