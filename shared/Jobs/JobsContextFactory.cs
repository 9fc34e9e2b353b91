using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs;

/// <summary>Gives the contexts of a system's database to the jobs.</summary>
/// <param name="contexts">Makes the system's contexts.</param>
public sealed class JobsContextFactory<TContext>(IDbContextFactory<TContext> contexts) : IDbContextFactory<JobsContext>
    where TContext : JobsContext
{
    /// <inheritdoc />
    public JobsContext CreateDbContext() => contexts.CreateDbContext();
}
