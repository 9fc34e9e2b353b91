using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;
using Distributed.TestServers;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Sdk;

namespace Distributed.Catalog.Tests;

/// <summary>A migrated catalog as a host has it, in a database of the test class's own. Tests share it, so each makes its own runs and scopes.</summary>
public abstract class TestCatalog : IAsyncLifetime
{
    private ServiceProvider? _services;
    private string? _connectionString;
    private SkipException? _skip;

    public JobOptions Options { get; } = new();

    public string ConnectionString => _skip is null ? _connectionString! : throw _skip;

    public IDbContextFactory<CatalogContext> Contexts => Service<IDbContextFactory<CatalogContext>>();

    public JobStore Store => Service<JobStore>();

    public JobOutbox Outbox => Service<JobOutbox>();

    public JobRepair Repair => Service<JobRepair>();

    public IJobFlow Runs => Service<IJobFlow>();

    public RunRegister Register => Service<RunRegister>();

    public RunControl Control => Service<RunControl>();

    public PrecedingSpans Spans => Service<PrecedingSpans>();

    /// <summary>Writes nothing.</summary>
    public static Task Nothing(CatalogContext context, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>How often a race is run: SQLite has no network between it and us.</summary>
    public abstract int Races { get; }

    public async ValueTask InitializeAsync()
    {
        try
        {
            _connectionString = await CreateDatabaseAsync();
        }
        catch (SkipException skip)
        {
            // A fixture cannot skip its tests: each does when it asks for the catalog.
            _skip = skip;
            return;
        }

        _services = new ServiceCollection()
            .AddSingleton(Options)
            .AddSingleton(typeof(ILogger<>), typeof(NullLogger<>))
            .AddCatalog(_connectionString)
            .AddPipeline()
            .BuildServiceProvider();
        await using var context = await Contexts.CreateDbContextAsync();
        await CatalogMigration.MigrateAsync(context, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_services is not null)
        {
            await _services.DisposeAsync();
            await DropDatabaseAsync();
        }
    }

    /// <summary>A context factory that watches or disturbs what the contexts do.</summary>
    public IDbContextFactory<CatalogContext> With(Microsoft.EntityFrameworkCore.Diagnostics.IInterceptor interceptor) =>
        new Factory(() => CreateContext(interceptor));

    public async Task<Run> SubmitAsync(RunState state = RunState.Submitted)
    {
        var run = NewRun();
        await Register.SubmitAsync(run, AuditActor.Loopback, CancellationToken.None);
        if (state != RunState.Submitted)
        {
            await using var context = await Contexts.CreateDbContextAsync();
            Assert.True(await context.MoveRunAsync(run.Id, RunState.Submitted, state, DateTime.UtcNow, CancellationToken.None));
        }

        return run;
    }

    public static Run NewRun(Guid? id = null, string? key = null, string specification = "{}") =>
        new()
        {
            Id = id ?? Guid.NewGuid(),
            Tags = ["test"],
            IdempotencyKey = key,
            Specification = specification,
            SubmittedAt = DateTime.UtcNow,
            TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        };

    /// <summary>Plans jobs of a scope that the runs share.</summary>
    public async Task<string> PlanAsync(string kind, int count, params Run[] runs)
    {
        var scope = $"{kind}-{Guid.NewGuid():N}";
        await using var context = await Contexts.CreateDbContextAsync();
        context.PlanJobs(kind, scope, Enumerable.Range(0, count), runs.FirstOrDefault()?.TraceParent, DateTime.UtcNow);
        context.RunDependencies.AddRange(runs.Select(run => new RunDependency { RunId = run.Id, Scope = scope }));
        await context.SaveChangesAsync();
        foreach (var run in runs)
        {
            await NameAsync(context, run.Id, kind, scope, CancellationToken.None);
        }

        return scope;
    }

    /// <summary>Makes a run need a feature set as its planner does, in the transaction of the context.</summary>
    public static async Task JoinAsync(CatalogContext context, Run run, string featureSet, CancellationToken cancellationToken)
    {
        await context.DependAsync(run.Id, featureSet, cancellationToken);
        await NameAsync(context, run.Id, nameof(ExtractFeatures), featureSet, cancellationToken);
    }

    /// <summary>Notes in a run's row which images or features are its own.</summary>
    private static async Task NameAsync(CatalogContext context, Guid runId, string kind, string scope, CancellationToken cancellationToken)
    {
        var row = context.Runs.Where(run => run.Id == runId);
        if (kind == nameof(ExtractFeatures))
        {
            await row.ExecuteUpdateAsync(run => run.SetProperty(r => r.FeatureSetKey, scope), cancellationToken);
        }
        else if (kind is nameof(PackImages) or nameof(CompleteDataset))
        {
            await row.ExecuteUpdateAsync(run => run.SetProperty(r => r.IngestionKey, scope), cancellationToken);
        }
    }

    /// <summary>A job of a run's own.</summary>
    public async Task<JobKey> PlanTrainingAsync(Run run)
    {
        var job = new JobKey(nameof(TrainHead), JobKey.ScopeOf(run.Id, 0), 0);
        await using var context = await Contexts.CreateDbContextAsync();
        context.PlanJobs(job.Kind, job.Scope, [job.Step], run.TraceParent, DateTime.UtcNow);
        await context.SaveChangesAsync();
        return job;
    }

    public async Task<JobLease> StartAsync(JobKey job, bool redelivered = false)
    {
        var start = await Store.ClaimAsync(job, "worker", redelivered, CancellationToken.None);
        Assert.Equal(ClaimOutcome.Claimed, start.Outcome);
        return start.Lease!;
    }

    public async Task FinishAsync(JobKey job) =>
        Assert.True(await Store.CommitAsync(await StartAsync(job), Nothing, CancellationToken.None));

    public Task LapseAsync(JobKey job) => SetTimesAsync(job, DateTime.UtcNow.AddMinutes(-1));

    /// <summary>When a job's lease lapses, where it has one, and when its message was sent.</summary>
    public async Task SetTimesAsync(JobKey job, DateTime at)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        Assert.Equal(
            1,
            await context
                .Jobs.Where(row => row.Kind == job.Kind && row.Scope == job.Scope && row.Step == job.Step)
                .ExecuteUpdateAsync(row =>
                    row.SetProperty(r => r.LeaseUntil, r => r.LeaseUntil == null ? null : at).SetProperty(r => r.DispatchedAt, at)
                )
        );
    }

    public async Task<Job> ReadAsync(JobKey job)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        return await context.Jobs.AsNoTracking().SingleAsync(row => row.Kind == job.Kind && row.Scope == job.Scope && row.Step == job.Step);
    }

    public async Task<Run> ReadAsync(Run run)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        return await context.Runs.AsNoTracking().SingleAsync(row => row.Id == run.Id);
    }

    /// <summary>Steps planned of a kind for a scope.</summary>
    public async Task<List<int>> StepsAsync(string kind, string scope)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        return await context.Jobs.Where(row => row.Kind == kind && row.Scope == scope).Select(row => row.Step).Order().ToListAsync();
    }

    public async Task<int> CountEpochsAsync(Run run)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        return await context.EpochMetrics.CountAsync(row => row.RunId == run.Id);
    }

    public static EpochMetric Epoch(Run run, int epoch = 1) =>
        new()
        {
            RunId = run.Id,
            Trial = 0,
            Epoch = epoch,
            TrainLoss = 1,
            TrainAccuracy = 0.5,
            LearningRate = 0.1,
        };

    public static FeatureSet NewFeatureSet(string key, int shards) =>
        new()
        {
            Key = key,
            DatasetSha256 = "d",
            IngestionKey = "i",
            BackboneSha256 = "b",
            Preprocessing = "p",
            Precision = Precision.Fp32,
            ExtractorVersion = 1,
            InputSize = 96,
            Flip = false,
            Crops = ImageCrops.Whole,
            BatchSize = 64,
            ImageCount = shards,
            FeatureSize = 1024,
            ShardSize = 1,
            ShardCount = shards,
            CreatedAt = DateTime.UtcNow,
        };

    protected abstract Task<string> CreateDatabaseAsync();

    protected abstract Task DropDatabaseAsync();

    protected abstract CatalogContext CreateContext(Microsoft.EntityFrameworkCore.Diagnostics.IInterceptor interceptor);

    private T Service<T>()
        where T : notnull => _skip is null ? _services!.GetRequiredService<T>() : throw _skip;

    private sealed class Factory(Func<CatalogContext> create) : IDbContextFactory<CatalogContext>
    {
        public CatalogContext CreateDbContext() => create();
    }
}

internal static class JobStoreExtensions
{
    /// <summary>Commits a job with what a handler would write.</summary>
    public static Task<bool> CommitAsync(
        this JobStore store,
        JobLease lease,
        Func<CatalogContext, CancellationToken, Task> write,
        CancellationToken cancellationToken
    ) => store.CommitAsync(lease, JobWrite.To(write), cancellationToken);
}

public sealed class SqliteCatalog : TestCatalog
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"catalog-{Guid.NewGuid():N}.db");

    public override int Races => 200;

    protected override Task<string> CreateDatabaseAsync() => Task.FromResult($"Data Source={_path}");

    protected override Task DropDatabaseAsync()
    {
        using (var connection = new SqliteConnection(ConnectionString))
        {
            SqliteConnection.ClearPool(connection);
        }

        foreach (var suffix in (string[])["", "-wal", "-shm"])
        {
            File.Delete(_path + suffix);
        }

        return Task.CompletedTask;
    }

    protected override CatalogContext CreateContext(Microsoft.EntityFrameworkCore.Diagnostics.IInterceptor interceptor) =>
        new SqliteCatalogContext(
            new DbContextOptionsBuilder<SqliteCatalogContext>()
                .UseSqlite(ConnectionString)
                .UseSnakeCaseNamingConvention()
                .AddInterceptors(interceptor)
                .Options
        );
}

public sealed class PostgresCatalog : TestCatalog
{
    private PostgresDatabase? _database;

    public override int Races => 50;

    protected override async Task<string> CreateDatabaseAsync() => (_database = await PostgresDatabase.CreateAsync()).ConnectionString;

    protected override async Task DropDatabaseAsync() => await _database!.DisposeAsync();

    protected override CatalogContext CreateContext(Microsoft.EntityFrameworkCore.Diagnostics.IInterceptor interceptor) =>
        new PostgresCatalogContext(
            new DbContextOptionsBuilder<PostgresCatalogContext>()
                .UseNpgsql(ConnectionString)
                .UseSnakeCaseNamingConvention()
                .AddInterceptors(interceptor)
                .Options
        );
}
