using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs;

/// <summary>Corrects leases and times that no worker will: after a clock was set back, and after the death of the only process.</summary>
public sealed class JobRepair(IDbContextFactory<JobsContext> contexts, JobOptions options)
{
    /// <summary>
    /// Cuts times that lie ahead, since the database's clock was set back after they were written: else a lease would hold, and a
    /// message count as just sent, for as long as the clock was set back.
    /// </summary>
    public async Task ClampFutureTimestampsAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var lease = options.Lease.TotalSeconds;
        // Hosts may have longer leases than this one.
        var ahead = 10 * lease;
        await context
            .Jobs.Where(row => row.State == JobState.Running && row.LeaseUntil > DateTime.UtcNow.AddSeconds(ahead))
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, r => DateTime.UtcNow.AddSeconds(lease)), cancellationToken);
        await context
            .Jobs.Where(row =>
                (row.State == JobState.Pending || row.State == JobState.Running) && row.DispatchedAt > DateTime.UtcNow.AddSeconds(lease)
            )
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.DispatchedAt, r => DateTime.UtcNow), cancellationToken);
    }

    /// <summary>Makes everything that a process held before it died free again. Only for a process that has the catalog to itself.</summary>
    public async Task ReclaimOrphansAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .Jobs.Where(row => row.State == JobState.Running)
            .ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, JobState.Pending).SetProperty(r => r.LeaseUntil, (DateTime?)null),
                cancellationToken
            );
        await context
            .Jobs.Where(row => row.State == JobState.Pending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.DispatchedAt, (DateTime?)null), cancellationToken);
    }
}
