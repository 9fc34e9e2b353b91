using System.Diagnostics;
using Distributed.Catalog;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Distributed.Benchmarks;

/// <summary>
/// What it costs to ask the catalog for the metrics of runs and jobs with a million runs that have ended and a thousand that have not. The
/// peer is the plain question, runs grouped by state.
/// </summary>
internal sealed class CatalogMetricsBenchmark : IBenchmark
{
    private const int Ended = 1_000_000,
        Open = 1_000,
        Rounds = 20;

    public string Name => "catalog-metrics";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        await using var database = await PostgresDatabase.CreateAsync(cancellationToken: cancellationToken);
        var services = new ServiceCollection();
        services.AddCatalog(database.ConnectionString);
        await using var provider = services.BuildServiceProvider();
        await using var context = await provider
            .GetRequiredService<IDbContextFactory<CatalogContext>>()
            .CreateDbContextAsync(cancellationToken);
        await context.Database.MigrateAsync(cancellationToken);
        await FillAsync(database.ConnectionString, cancellationToken);

        var (ours, peer) = (new List<double>(), new List<double>());
        // The first round also compiles and prepares.
        for (var round = 0; round <= Rounds; round++)
        {
            var asked = await TimeAsync(() => CatalogFigures.ReadAsync(context, cancellationToken));
            var grouped = await TimeAsync(() =>
                context
                    .Runs.GroupBy(run => run.State)
                    .Select(state => new { state.Key, Count = state.Count() })
                    .ToListAsync(cancellationToken)
            );
            if (round > 0)
            {
                ours.Add(asked);
                peer.Add(grouped);
            }
        }

        return [Figure.Of(Name, "ms", new Measurement("", ours), new Measurement("runs grouped by state", peer), lessIsBetter: true)];
    }

    private static async Task<double> TimeAsync<T>(Func<Task<T>> ask)
    {
        var started = Stopwatch.GetTimestamp();
        await ask();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static async Task FillAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        string[] statements =
        [
            $"""
                insert into datasets (sha256, name, source, image_count, class_names, created_at, manifest_length, manifest_path, manifest_sha256)
                select 'd' || i, 'set ' || i, 'source', 100, array['a', 'b'], now(), 1, 'm' || i, 'm' from generate_series(1, 50) i
                """,
            "insert into backbones (sha256, source, architecture, origin, created_at) select 'b' || i, 'backbone ' || i, 'densenet121', 'of the benchmark', now() from generate_series(1, 4) i",
            """
                insert into feature_sets (key, dataset_sha256, ingestion_key, backbone_sha256, preprocessing, precision, extractor_version, input_size, batch_size, image_count, feature_size, shard_size, shard_count, created_at)
                select 'f' || i, 'd' || (i % 50 + 1), 'i', 'b' || (i % 4 + 1), 'p', 'fp32', 1, 96, 64, 100, 1024, 512, 1, now() from generate_series(1, 200) i
                """,
            $"""
                insert into runs (id, tags, specification, priority, state, submitted_at, finished_at, end_published_at, dataset_sha256, feature_set_key)
                select gen_random_uuid(), array[]::text[], '{"{}"}', 'Interactive', case when i % 20 = 0 then 'Failed' else 'Completed' end,
                  now() - i * interval '1 second', now(), now(), 'd' || (i % 50 + 1), 'f' || (i % 200 + 1) from generate_series(1, {Ended}) i
                """,
            $"""
                insert into runs (id, tags, specification, priority, state, submitted_at)
                select gen_random_uuid(), array[]::text[], '{"{}"}', 'Interactive', (array['Submitted', 'Ingesting', 'Extracting', 'Training', 'Evaluating'])[i % 5 + 1], now() from generate_series(1, {Open}) i
                """,
            "insert into run_dependencies (run_id, scope) select id, id::text from runs",
            """
                insert into evaluations (run_id, trial, test_images, test_accuracy, test_accuracy_low, test_accuracy_high, test_loss, top_k, macro_f1, confusion_matrix, head_sha256, created_at)
                select id, 0, 100, 0.9, 0.8, 0.95, 0.3, 5, 0.9, '[]', 'h', now() from runs where state = 'Completed'
                """,
            """
                insert into jobs (kind, scope, step, state, attempts, created_at)
                select 'TrainHead', id::text, 0, case when finished_at is null then 'Pending' else 'Done' end, 0, now() from runs
                """,
            "analyze",
        ];
        foreach (var statement in statements)
        {
            await using var command = new NpgsqlCommand(statement, connection) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }
}
