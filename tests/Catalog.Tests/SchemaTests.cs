using System.Text.RegularExpressions;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Distributed.Catalog.Tests;

public sealed class SqliteSchemaTests(SqliteCatalog catalog) : SchemaTests(catalog), IClassFixture<SqliteCatalog>;

public sealed class PostgresSchemaTests(PostgresCatalog catalog) : SchemaTests(catalog), IClassFixture<PostgresCatalog>;

public abstract partial class SchemaTests(TestCatalog catalog)
{
    [Fact]
    public async Task Migrations_make_the_whole_model_from_an_empty_database()
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();

        Assert.False(context.Database.HasPendingModelChanges());
        Assert.Empty(await context.Database.GetPendingMigrationsAsync());
        Assert.NotEmpty(await context.Database.GetAppliedMigrationsAsync());
    }

    [Fact]
    public async Task Tables_and_columns_are_snake_case()
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        var tables = context
            .GetService<Microsoft.EntityFrameworkCore.Metadata.IDesignTimeModel>()
            .Model.GetRelationalModel()
            .Tables.ToList();

        Assert.Equal(35, tables.Count);
        Assert.All(tables, table => Assert.Matches(SnakeCase(), table.Name));
        Assert.All(tables.SelectMany(table => table.Columns), column => Assert.Matches(SnakeCase(), column.Name));
    }

    [Fact]
    public async Task Runs_are_listed_by_accuracy_with_plain_sql()
    {
        var name = $"run-{Guid.NewGuid():N}";
        foreach (var (suffix, accuracy) in ((string, double)[])[("worse", 0.7), ("best", 0.9), ("good", 0.8)])
        {
            await AddEvaluatedRunAsync($"{name}-{suffix}", accuracy);
        }

        await using var context = await catalog.Contexts.CreateDbContextAsync();
        await context.Database.OpenConnectionAsync();
        await using var command = context.Database.GetDbConnection().CreateCommand();
        command.CommandText =
            "select r.name, r.id, e.test_accuracy from runs r join evaluations e on e.run_id = r.id order by e.test_accuracy desc";
        var found = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            found.Add($"{reader.GetString(0)} {reader.GetDouble(2)}");
        }

        Assert.Equal(
            [$"{name}-best 0.9", $"{name}-good 0.8", $"{name}-worse 0.7"],
            found.Where(row => row.StartsWith(name, StringComparison.Ordinal))
        );
    }

    [Fact]
    public async Task A_run_reads_back_as_it_was_written()
    {
        var submitted = new DateTime(2026, 3, 1, 12, 30, 15, 123, DateTimeKind.Utc);
        var run = new Run
        {
            Id = Guid.NewGuid(),
            Name = "Größe ✓",
            Tags = ["a", "b, c"],
            Specification = """{"seed": 3}""",
            SubmittedAt = submitted,
            Split = new StoredFile("runs/x/split.json", 12, new string('a', 64)),
        };
        await catalog.Register.SubmitAsync(run, AuditActor.Loopback, CancellationToken.None);

        var read = await catalog.ReadAsync(run);

        Assert.Equal(run.Name, read.Name);
        Assert.Equal(run.Tags, read.Tags);
        Assert.Equal(run.Specification, read.Specification);
        Assert.Equal(submitted, read.SubmittedAt);
        Assert.Equal(DateTimeKind.Utc, read.SubmittedAt.Kind);
        Assert.Equal(run.Split, read.Split);
        Assert.Null(read.FinishedAt);
    }

    [Fact]
    public async Task Deleting_a_run_deletes_what_belongs_to_it()
    {
        var id = await AddEvaluatedRunAsync("deleted", 0.5);
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        Assert.Equal(1, await context.Evaluations.CountAsync(e => e.RunId == id));

        await context.Runs.Where(run => run.Id == id).ExecuteDeleteAsync();

        Assert.Equal(0, await context.Evaluations.CountAsync(e => e.RunId == id));
        Assert.Equal(0, await context.RunDependencies.CountAsync(d => d.RunId == id));
    }

    private async Task<Guid> AddEvaluatedRunAsync(string name, double accuracy)
    {
        var run = new Run
        {
            Id = Guid.NewGuid(),
            Name = name,
            Tags = [],
            Specification = "{}",
            SubmittedAt = DateTime.UtcNow,
        };
        await catalog.Register.SubmitAsync(run, AuditActor.Loopback, CancellationToken.None);
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        context.Evaluations.Add(
            new Evaluation
            {
                RunId = run.Id,
                DatasetSha256 = "d",
                Trial = 0,
                TestImages = 100,
                TestAccuracy = accuracy,
                TestAccuracyLow = accuracy - 0.1,
                TestAccuracyHigh = accuracy + 0.1,
                TestLoss = 1,
                TopK = 5,
                TopKAccuracy = 1,
                MacroF1 = accuracy,
                ConfusionMatrix = "[]",
                Temperature = 1,
                CalibrationError = 0,
                UncalibratedError = 0,
                Reliability = "[]",
                LeakedTestImages = 0,
                UnleakedAccuracy = null,
                UnleakedAccuracyLow = null,
                UnleakedAccuracyHigh = null,
                AuditKey = "audit",
                Predictions = new StoredFile("runs/predictions.json", 1, "00"),
                HeadSha256 = "h",
                Report = new StoredFile("runs/report.html", 1, "r"),
                CreatedAt = DateTime.UtcNow,
            }
        );
        await context.SaveChangesAsync();
        return run.Id;
    }

    [GeneratedRegex("^[a-z0-9]+(_[a-z0-9]+)*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SnakeCase();
}

public sealed class MigrationAtStartTests
{
    [Fact]
    public async Task Hosts_that_start_together_on_an_empty_database_all_get_ready()
    {
        await using var database = await TestServers.PostgresDatabase.CreateAsync();
        await using var hosts = Hosts(database.ConnectionString);
        var migrations = Enumerable.Range(0, 4).Select(_ => ActivatorUtilities.CreateInstance<CatalogMigration>(hosts)).ToList();

        await Task.WhenAll(migrations.Select(migration => migration.StartAsync(CancellationToken.None)));

        await Task.WhenAll(migrations.Select(migration => migration.Ready)).WaitAsync(TimeSpan.FromSeconds(60));
        await using var context = await hosts.GetRequiredService<IDbContextFactory<CatalogContext>>().CreateDbContextAsync();
        Assert.Empty(await context.Database.GetPendingMigrationsAsync());
    }

    [Fact]
    public async Task A_host_waits_for_a_database_that_is_not_there_yet()
    {
        var folder = Path.Combine(Path.GetTempPath(), $"later-{Guid.NewGuid():N}");
        await using var host = Hosts($"Data Source={Path.Combine(folder, "catalog.db")};Pooling=false");
        using var migration = ActivatorUtilities.CreateInstance<CatalogMigration>(host);
        await migration.StartAsync(CancellationToken.None);
        try
        {
            Assert.False(migration.Ready.IsCompleted);

            Directory.CreateDirectory(folder);

            await migration.Ready.WaitAsync(TimeSpan.FromSeconds(60));
        }
        finally
        {
            await migration.StopAsync(CancellationToken.None);
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_missing_connection_string_is_told_by_its_name()
    {
        var error = Assert.Throws<ArgumentException>(() => new ServiceCollection().AddCatalog(" "));

        Assert.Contains("ConnectionStrings__Catalog", error.Message, StringComparison.Ordinal);
    }

    private static ServiceProvider Hosts(string connectionString) =>
        new ServiceCollection().AddSingleton(typeof(ILogger<>), typeof(NullLogger<>)).AddCatalog(connectionString).BuildServiceProvider();
}
