using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Keeps what was given up.</summary>
public static class DeadLetters
{
    /// <summary>Keeps the failed jobs of a scope, in the transaction in which they fail. What was kept of the scope before, and not requeued, gives way.</summary>
    internal static async Task KeepFailedAsync(
        this CatalogContext context,
        string scope,
        string reason,
        DateTime now,
        CancellationToken cancellationToken
    )
    {
        await context
            .DeadLetters.Where(letter => letter.JobScope == scope && letter.RequeuedAt == null)
            .ExecuteDeleteAsync(cancellationToken);
        var failed = await context
            .Jobs.Where(job => job.Scope == scope && job.State == JobState.Failed)
            .Select(job => new { job.Kind, job.Step })
            .ToListAsync(cancellationToken);
        context.DeadLetters.AddRange(
            failed.Select(job => new DeadLetter
            {
                Id = Guid.CreateVersion7(),
                At = now,
                Reason = reason,
                JobKind = job.Kind,
                JobScope = scope,
                JobStep = job.Step,
            })
        );
        await context.SaveChangesAsync(cancellationToken);
    }
}
