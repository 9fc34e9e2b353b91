using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog.Tests;

/// <summary>Ids in a SQLite catalog are those that the API tells.</summary>
public sealed class SqliteIdTests(SqliteCatalog catalog) : IClassFixture<SqliteCatalog>
{
    [Fact]
    public async Task Ids_stand_in_small_letters()
    {
        var run = await catalog.SubmitAsync();

        await using var context = await catalog.Contexts.CreateDbContextAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, await CountAsync(context, run));
    }

    [Fact]
    public async Task Ids_that_an_earlier_version_wrote_in_capital_letters_are_changed_with_all_that_refers_to_them()
    {
        var run = await catalog.SubmitAsync();
        await using var context = await catalog.Contexts.CreateDbContextAsync(TestContext.Current.CancellationToken);
        await context.Database.ExecuteSqlRawAsync(
            """
            BEGIN;
            PRAGMA defer_foreign_keys = ON;
            UPDATE runs SET id = upper(id);
            UPDATE run_dependencies SET run_id = upper(run_id);
            DELETE FROM "__EFMigrationsHistory" WHERE migration_id LIKE '%_LowerCaseIds';
            COMMIT;
            """,
            TestContext.Current.CancellationToken
        );
        Assert.Equal(0, await CountAsync(context, run));

        await CatalogMigration.MigrateAsync(context, TestContext.Current.CancellationToken);

        Assert.Equal(1, await CountAsync(context, run));
        Assert.Equal(run.Id, (await catalog.ReadAsync(run)).Id);
    }

    private static Task<int> CountAsync(CatalogContext context, Run run)
    {
        var id = run.Id.ToString("D");
        return context
            .Database.SqlQuery<int>($"SELECT count(*) AS Value FROM runs JOIN run_dependencies ON run_id = id WHERE id = {id}")
            .SingleAsync(TestContext.Current.CancellationToken);
    }
}
