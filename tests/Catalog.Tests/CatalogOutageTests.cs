using Distributed.TestServers;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Distributed.Catalog.Tests;

/// <summary>Errors as the servers and drivers really give them.</summary>
public sealed class CatalogOutageTests
{
    [Fact]
    public async Task A_server_that_refuses_connections_is_an_outage() =>
        Assert.True(
            CatalogOutage.Is(
                await ErrorOfAsync(Postgres($"Host=127.0.0.1;Port={FreePort.Next()};Username=a;Password=a;Database=a"), "select 1")
            )
        );

    [Fact]
    public async Task A_server_whose_name_is_not_known_yet_is_an_outage() =>
        Assert.True(CatalogOutage.Is(await ErrorOfAsync(Postgres("Host=database.invalid;Username=a;Password=a;Database=a"), "select 1")));

    [Fact]
    public async Task A_server_that_does_not_answer_in_time_is_an_outage()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var context = Postgres($"{database.ConnectionString};Command Timeout=1");

        Assert.True(CatalogOutage.Is(await ErrorOfAsync(context, "select pg_sleep(30)")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_session_that_the_administrator_ended_is_an_outage(bool whileSaving)
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var context = Postgres(database.ConnectionString);
        await context.Database.MigrateAsync();
        await context.Database.OpenConnectionAsync();
        var session = ((NpgsqlConnection)context.Database.GetDbConnection()).ProcessID;
        await using (var other = new NpgsqlConnection(TestEnvironment.PostgresConnectionString))
        {
            await other.OpenAsync();
            await using var terminate = new NpgsqlCommand($"select pg_terminate_backend({session}, 5000)", other);
            Assert.Equal(true, await terminate.ExecuteScalarAsync());
        }

        context.Runs.Add(TestCatalog.NewRun());
        var error = whileSaving
            ? await Assert.ThrowsAnyAsync<Exception>(() => context.SaveChangesAsync())
            : await ErrorOfAsync(context, "select 1");

        Assert.True(CatalogOutage.Is(error), error.ToString());
    }

    [Fact]
    public async Task A_deadlock_is_an_outage_since_trying_again_mends_it()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var first = Postgres(database.ConnectionString);
        await using var second = Postgres(database.ConnectionString);
        await first.Database.ExecuteSqlRawAsync(
            "create table things (id int primary key, n int); insert into things values (1, 0), (2, 0)"
        );
        await using var transactions = await first.Database.BeginTransactionAsync();
        await using var others = await second.Database.BeginTransactionAsync();
        await first.Database.ExecuteSqlRawAsync("update things set n = 1 where id = 1");
        await second.Database.ExecuteSqlRawAsync("update things set n = 2 where id = 2");
        async Task<Exception?> CrossAsync(DbContext context, int id)
        {
            var error = await Record.ExceptionAsync(() =>
                context.Database.ExecuteSqlRawAsync("update things set n = 3 where id = {0}", id)
            );
            await context.Database.RollbackTransactionAsync();
            return error;
        }

        var errors = await Task.WhenAll(CrossAsync(first, 2), CrossAsync(second, 1));

        Assert.True(CatalogOutage.Is(Assert.Single(errors.OfType<Exception>())));
    }

    [Fact]
    public async Task A_violated_key_and_wrong_sql_are_no_outages()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var context = Postgres(database.ConnectionString);
        await context.Database.MigrateAsync();
        var run = TestCatalog.NewRun();
        context.Runs.Add(run);
        await context.SaveChangesAsync();
        context.ChangeTracker.Clear();
        context.Runs.Add(TestCatalog.NewRun(run.Id));

        Assert.False(CatalogOutage.Is(await Assert.ThrowsAsync<DbUpdateException>(() => context.SaveChangesAsync())));
        Assert.False(CatalogOutage.Is(await ErrorOfAsync(context, "selekt 1")));
    }

    [Fact]
    public async Task A_wrong_password_is_no_outage()
    {
        var wrong = new NpgsqlConnectionStringBuilder(TestEnvironment.PostgresConnectionString) { Password = "wrong", Pooling = false };

        Assert.False(CatalogOutage.Is(await ErrorOfAsync(Postgres(wrong.ConnectionString), "select 1")));
    }

    [Fact]
    public async Task A_locked_file_and_one_that_cannot_be_opened_are_outages()
    {
        var folder = Path.Combine(Path.GetTempPath(), $"outage-{Guid.NewGuid():N}");
        var connectionString = $"Data Source={Path.Combine(folder, "catalog.db")};Pooling=false;Default Timeout=1";
        await using var missing = Sqlite(connectionString);
        Assert.True(CatalogOutage.Is(await ErrorOfAsync(missing, "select 1")));
        Directory.CreateDirectory(folder);
        try
        {
            await using var holder = new SqliteConnection(connectionString);
            await holder.OpenAsync();
            await using var transaction = holder.BeginTransaction();
            await using var waiting = Sqlite(connectionString);

            Assert.True(CatalogOutage.Is(await ErrorOfAsync(waiting, "create table things (id int)")));
            Assert.False(CatalogOutage.Is(await ErrorOfAsync(waiting, "selekt 1")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Mistakes_of_ours_are_no_outages()
    {
        Assert.False(CatalogOutage.Is(new InvalidOperationException("Sequence contains no elements")));
        Assert.False(CatalogOutage.Is(new OperationCanceledException()));
    }

    private static async Task<Exception> ErrorOfAsync(DbContext context, string sql) =>
        await Assert.ThrowsAnyAsync<Exception>(() => context.Database.ExecuteSqlRawAsync(sql));

    private static PostgresCatalogContext Postgres(string connectionString) =>
        new(new DbContextOptionsBuilder<PostgresCatalogContext>().UseNpgsql(connectionString).UseSnakeCaseNamingConvention().Options);

    private static SqliteCatalogContext Sqlite(string connectionString) =>
        new(new DbContextOptionsBuilder<SqliteCatalogContext>().UseSqlite(connectionString).UseSnakeCaseNamingConvention().Options);
}
