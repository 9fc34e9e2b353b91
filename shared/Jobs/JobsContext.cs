using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Distributed.Jobs;

/// <summary>An open run needs the jobs of a scope.</summary>
public sealed class JobDemand
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The scope that it needs.</summary>
    public required string Scope { get; init; }

    /// <summary>Whose work is done first.</summary>
    public required RunPriority Priority { get; init; }

    /// <summary>When the run was accepted (UTC).</summary>
    public required DateTime SubmittedAt { get; init; }
}

/// <summary>
/// The database of a system that runs jobs: the tables <c>jobs</c> and <c>attempts</c>, and what its runs have to do with
/// them. A system derives its own context, with its own tables, from it.
/// </summary>
/// <param name="options">The provider. Names of tables and columns must be in snake case, as filters of indexes name them.</param>
public abstract class JobsContext(DbContextOptions options) : DbContext(options)
{
    /// <summary>All jobs.</summary>
    public DbSet<Job> Jobs => Set<Job>();

    /// <summary>All attempts at them.</summary>
    public DbSet<Attempt> Attempts => Set<Attempt>();

    /// <summary>
    /// What open runs need, one row for each run and scope. Jobs are worked on as long as it has a row with their scope. Every
    /// question whether an open run needs something is asked of it.
    /// </summary>
    public abstract IQueryable<JobDemand> OpenDemands { get; }

    /// <summary>Fails the open runs that need a scope, in the transaction that is open.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="failure">Why.</param>
    /// <param name="now">The time of the failure (UTC).</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public abstract Task FailRunsAsync(string scope, JobFailure failure, DateTime now, CancellationToken cancellationToken);

    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        ArgumentNullException.ThrowIfNull(configurationBuilder);
        configurationBuilder.Properties<Enum>().HaveConversion<string>();
        configurationBuilder.Properties<DateTime>().HaveConversion<UtcConverter>();
    }

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        modelBuilder.Entity<Job>(job =>
        {
            job.HasIndex(u => new
                {
                    u.Kind,
                    u.Scope,
                    u.Step,
                })
                .IsUnique();
            job.HasIndex(u => u.Scope);
            // Every worker asks for them after every job; in a big set nearly all jobs are done.
            job.HasIndex(u => u.Scope, "NotDone").HasDatabaseName("ix_jobs_scope_not_done").HasFilter("state <> 'Done'");
            job.Ignore(u => u.Priority);
            job.HasIndex(u => new { u.State, u.DispatchedAt });
        });
        modelBuilder.Entity<Attempt>(attempt =>
        {
            attempt.HasKey(a => a.Token);
            attempt.HasOne<Job>().WithMany().HasForeignKey(a => a.JobId).OnDelete(DeleteBehavior.Cascade);
        });
    }

    /// <summary>SQLite gives times back without a kind; all of ours are UTC.</summary>
    private sealed class UtcConverter()
        : ValueConverter<DateTime, DateTime>(value => value, value => DateTime.SpecifyKind(value, DateTimeKind.Utc));
}
