using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Distributed.Catalog.Tests;

public sealed class MigrationTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_host_that_may_not_migrate_waits_until_somebody_else_has()
    {
        var path = Path.Combine(Path.GetTempPath(), $"catalog-{Guid.NewGuid():N}.db");
        var log = new WaitingLog();
        await using var services = new ServiceCollection()
            .AddLogging(logging => logging.AddProvider(log))
            .AddCatalog($"Data Source={path};Pooling=False", migrate: false)
            .BuildServiceProvider();
        var migration = services.GetRequiredService<CatalogMigration>();
        try
        {
            await migration.StartAsync(CancellationToken.None);
            // It looked, and said what it waits for.
            Assert.Contains("command migrate", await log.Said.WaitAsync(Patience), StringComparison.Ordinal);
            Assert.False(migration.Ready.IsCompleted);
            await using (var context = await services.GetRequiredService<IDbContextFactory<CatalogContext>>().CreateDbContextAsync())
            {
                Assert.False(await CatalogMigration.IsCurrentAsync(context, CancellationToken.None));
                await CatalogMigration.MigrateAsync(context, CancellationToken.None);
            }

            await migration.Ready.WaitAsync(Patience);
        }
        finally
        {
            await migration.StopAsync(CancellationToken.None);
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_catalog_that_a_later_version_has_migrated_is_left_alone_and_waited_for(bool migrate)
    {
        var path = Path.Combine(Path.GetTempPath(), $"catalog-{Guid.NewGuid():N}.db");
        var log = new WaitingLog();
        await using var services = new ServiceCollection()
            .AddLogging(logging => logging.AddProvider(log))
            .AddCatalog($"Data Source={path};Pooling=False", migrate)
            .BuildServiceProvider();
        var migration = services.GetRequiredService<CatalogMigration>();
        try
        {
            await using (var context = await services.GetRequiredService<IDbContextFactory<CatalogContext>>().CreateDbContextAsync())
            {
                // A later version, that has taken a table away.
                await CatalogMigration.MigrateAsync(context, CancellationToken.None);
                await context.Database.ExecuteSqlRawAsync(
                    """
                    INSERT INTO "__EFMigrationsHistory" VALUES ('29991231000000_Future', '99.0.0');
                    DROP TABLE audit_log;
                    """
                );
                var error = await Assert.ThrowsAsync<CatalogVersionException>(() =>
                    CatalogMigration.MigrateAsync(context, CancellationToken.None)
                );
                Assert.Contains("29991231000000_Future", error.Message, StringComparison.Ordinal);
                Assert.Contains("later version of the program", error.Message, StringComparison.Ordinal);
                await Assert.ThrowsAsync<CatalogVersionException>(() => CatalogMigration.IsCurrentAsync(context, CancellationToken.None));
            }

            await migration.StartAsync(CancellationToken.None);

            Assert.Contains("29991231000000_Future", await log.Said.WaitAsync(Patience), StringComparison.Ordinal);
            Assert.Contains("29991231000000_Future", migration.Waiting, StringComparison.Ordinal);
            Assert.False(migration.Ready.IsCompleted);
        }
        finally
        {
            await migration.StopAsync(CancellationToken.None);
            File.Delete(path);
        }
    }

    [Fact]
    public async Task Whoever_reads_a_SQLite_catalog_need_not_wait_for_a_writer()
    {
        var folder = Directory.CreateTempSubdirectory("catalog-");
        try
        {
            var options = new DbContextOptionsBuilder<SqliteCatalogContext>()
                .UseSqlite($"Data Source={Path.Combine(folder.FullName, "catalog.db")};Pooling=False")
                .UseSnakeCaseNamingConvention()
                .Options;
            await using var writer = new SqliteCatalogContext(options);
            await CatalogMigration.MigrateAsync(writer, CancellationToken.None);
            await using var transaction = await writer.Database.BeginTransactionAsync();
            writer.Runs.Add(TestCatalog.NewRun());
            await writer.SaveChangesAsync();

            await using var reader = new SqliteCatalogContext(options);
            reader.Database.SetCommandTimeout(1);
            await using var snapshot = await reader.Database.BeginTransactionAsync(System.Data.IsolationLevel.ReadUncommitted);
            Assert.Equal(0, await reader.Runs.CountAsync());
            // Nor has the writer to wait for who reads.
            await transaction.CommitAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("api; DROP TABLE runs")]
    [InlineData("\"api\"")]
    [InlineData("")]
    public async Task Grants_go_to_names_of_roles_alone(string role)
    {
        await using var context = new SqliteCatalogContext(
            new DbContextOptionsBuilder<SqliteCatalogContext>().UseSqlite("Data Source=:memory:").Options
        );

        await Assert.ThrowsAsync<ArgumentException>(() => CatalogGrants.ApplyAsync(context, role, "worker", CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(() => CatalogGrants.ApplyAsync(context, "api", role, CancellationToken.None));
    }

    private sealed class WaitingLog : ILoggerProvider, ILogger
    {
        private readonly TaskCompletionSource<string> _said = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Said => _said.Task;

        public ILogger CreateLogger(string categoryName) =>
            categoryName == typeof(CatalogMigration).FullName ? this : Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => _said.TrySetResult(formatter(state, exception));

        public void Dispose() { }
    }
}
