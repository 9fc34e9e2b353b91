using System.Diagnostics;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Distributed.Storage;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Benchmarks;

/// <summary>
/// What a feature shard costs beside its computation, through RabbitMQ and Postgres: workers in processes of their own do nothing
/// but wait. Milliseconds of a worker's time a shard, and which part of its time is work; the peer is the wait alone.
/// </summary>
internal sealed class ShardOverheadBenchmark : IBenchmark
{
    public const string Worker = "shard-worker";

    // Many, since at the end of a set some workers have nothing left to do while others finish.
    private const int ShardsAWorker = 100,
        Rounds = 2;
    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(250);
    private static readonly int[] Workers = [1, 2, 4, 8, 16];

    public string Name => "shard-overhead";

    /// <summary>A worker, which works until its process ends.</summary>
    public static (string Name, Func<double> Measure) Work250(string catalog, string broker)
    {
        var host = BuildHost(catalog, broker, new ConsumerSet().AddJobs<WaitingHandler, ExtractFeatures>());
        host.StartAsync().GetAwaiter().GetResult();
        host.Services.GetRequiredService<BusGate>().Open.GetAwaiter().GetResult();
        return ($"a worker that waits {Work.TotalMilliseconds:F0} ms", () => throw new NotSupportedException("A worker is not asked."));
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        await using var database = await PostgresDatabase.CreateAsync(cancellationToken: cancellationToken);
        await using var broker = await RabbitMqVirtualHost.CreateAsync(cancellationToken: cancellationToken);
        using var host = BuildHost(database.ConnectionString, broker.Uri.ToString(), new ConsumerSet());
        await host.StartAsync(cancellationToken);
        var workers = new List<Contestant>();
        try
        {
            var figures = new List<Figure>();
            foreach (var count in Workers)
            {
                while (workers.Count < count)
                {
                    workers.Add(await Contestant.StartAsync([Worker, database.ConnectionString, broker.Uri.ToString()], cancellationToken));
                }

                var rounds = new List<double>();
                // The first round also opens connections and compiles.
                for (var round = 0; round <= Rounds; round++)
                {
                    var overhead = await MeasureAsync(host.Services, count, cancellationToken);
                    if (round > 0)
                    {
                        rounds.Add(overhead);
                    }
                }

                var ours = new Measurement("", rounds);
                var efficiency = Work.TotalMilliseconds / (Work.TotalMilliseconds + ours.Median);
                figures.Add(
                    new Figure(
                        Name,
                        "ms",
                        ours.Median,
                        null,
                        $"{count} workers, efficiency {efficiency:F3}, {1000 * count / (Work.TotalMilliseconds + ours.Median):F0} shards/s",
                        null,
                        ours.SpreadPercent
                    )
                );
            }

            return figures;
        }
        finally
        {
            workers.ForEach(worker => worker.Dispose());
            await host.StopAsync(CancellationToken.None);
        }
    }

    /// <summary>Lets all workers do a feature set.</summary>
    /// <returns>Milliseconds of a worker's time a shard, beside the wait.</returns>
    private static async Task<double> MeasureAsync(IServiceProvider services, int workers, CancellationToken cancellationToken)
    {
        var shards = workers * ShardsAWorker;
        var (key, run) = (Guid.NewGuid().ToString("N"), Guid.NewGuid());
        var contexts = services.GetRequiredService<IDbContextFactory<CatalogContext>>();
        await services.GetRequiredService<CatalogMigration>().Ready.WaitAsync(cancellationToken);
        await using (var context = await contexts.CreateDbContextAsync(cancellationToken))
        {
            context.Runs.Add(
                new Run
                {
                    Id = run,
                    Tags = [],
                    Specification = "{}",
                    SubmittedAt = DateTime.UtcNow,
                    State = RunState.Extracting,
                    FeatureSetKey = key,
                }
            );
            context.RunDependencies.Add(new RunDependency { RunId = run, Scope = key });
            context.PlanJobs(nameof(ExtractFeatures), key, Enumerable.Range(0, shards), traceParent: null, DateTime.UtcNow);
            await context.SaveChangesAsync(cancellationToken);
        }

        await services.GetRequiredService<JobDispatcher>().SendAsync([key], again: false, cancellationToken);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            if (!await context.Jobs.AnyAsync(job => job.Scope == key && job.State != JobState.Done, cancellationToken))
            {
                var attempts = await context
                    .Attempts.Where(attempt => context.Jobs.Any(job => job.Id == attempt.JobId && job.Scope == key))
                    .Select(attempt => new { attempt.StartedAt, attempt.EndedAt })
                    .ToListAsync(cancellationToken);
                var elapsed = attempts.Max(attempt => attempt.EndedAt!.Value) - attempts.Min(attempt => attempt.StartedAt);
                // A timer is late by a millisecond or more.
                var waited = await context
                    .FeatureShards.Where(shard => shard.FeatureSetKey == key)
                    .AverageAsync(shard => shard.Seconds, cancellationToken);
                return (elapsed.TotalMilliseconds * workers / shards) - (1000 * waited);
            }
        }

        throw new OperationCanceledException(cancellationToken);
    }

    private static IHost BuildHost(string catalog, string broker, ConsumerSet consumers)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.Services.AddCatalog(catalog);
        builder.Services.AddPipeline();
        builder.Services.AddMessaging(broker, consumers);
        return builder.Build();
    }

    /// <summary>Does nothing but wait, and writes what a shard writes.</summary>
    private sealed class WaitingHandler : IJobHandler<ExtractFeatures>
    {
        public async Task<JobWrite> ExecuteAsync(ExtractFeatures job, JobLease lease, CancellationToken cancellationToken)
        {
            var started = Stopwatch.GetTimestamp();
            await Task.Delay(Work, cancellationToken);
            var waited = Stopwatch.GetElapsedTime(started);
            return JobWrite.To<CatalogContext>(
                (context, _) =>
                {
                    context.FeatureShards.Add(
                        new FeatureShard
                        {
                            FeatureSetKey = job.Scope,
                            Shard = job.Step,
                            ImageCount = 1,
                            File = new StoredFile($"features/{lease.TokenText}", 0, new string('0', 64)),
                            Seconds = waited.TotalSeconds,
                            Worker = JobWorker.Name,
                        }
                    );
                    return Task.CompletedTask;
                }
            );
        }
    }
}
