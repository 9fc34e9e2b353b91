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
        Assert.Equal(2, await CountAsync(context, run));
    }

    private static Task<int> CountAsync(CatalogContext context, Run run)
    {
        var id = run.Id.ToString("D");
        return context
            .Database.SqlQuery<int>($"SELECT count(*) AS Value FROM runs JOIN run_dependencies ON run_id = id WHERE id = {id}")
            .SingleAsync(TestContext.Current.CancellationToken);
    }
}
