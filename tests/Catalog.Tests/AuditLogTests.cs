using Microsoft.EntityFrameworkCore;
using static System.Threading.CancellationToken;

namespace Distributed.Catalog.Tests;

public sealed class SqliteAuditLogTests(SqliteCatalog catalog) : AuditLogTests(catalog), IClassFixture<SqliteCatalog>;

public sealed class PostgresAuditLogTests(PostgresCatalog catalog) : AuditLogTests(catalog), IClassFixture<PostgresCatalog>;

public abstract class AuditLogTests(TestCatalog catalog)
{
    private static readonly AuditActor Ada = new(AuditActorKind.Key, "ada");

    [Fact]
    public async Task A_change_and_its_entry_are_made_together_and_once()
    {
        var run = TestCatalog.NewRun();

        await catalog.Register.SubmitAsync(run, Ada, None);
        await catalog.Register.SubmitAsync(run, AuditActor.Message, None);
        await catalog.Control.CancelAsync(run.Id, AuditActor.Loopback, None);
        await catalog.Control.CancelAsync(run.Id, Ada, None);

        Assert.Equal(
            [(AuditActorKind.Key, "ada", AuditAction.RunSubmitted), (AuditActorKind.Local, "loopback", AuditAction.RunCancelled)],
            (await EntriesAsync($"{run.Id:D}")).Select(entry => (entry.ActorKind, entry.Actor, entry.Action))
        );
    }

    [Fact]
    public async Task Of_two_cancellations_at_once_one_is_in_the_log()
    {
        var run = await catalog.SubmitAsync();

        var cancelled = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => Task.Run(() => catalog.Control.CancelAsync(run.Id, Ada, None)))
        );

        Assert.Single(cancelled, done => done);
        Assert.Single(await EntriesAsync($"{run.Id:D}"), entry => entry.Action == AuditAction.RunCancelled);
    }

    [Fact]
    public async Task A_change_that_is_rolled_back_leaves_no_entry()
    {
        var subject = $"{Guid.NewGuid():D}";
        await using (var context = await catalog.Contexts.CreateDbContextAsync())
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            context.Audit(Ada, AuditAction.RunDeleted, subject, DateTime.UtcNow);
            await context.SaveChangesAsync();
            await transaction.RollbackAsync();
        }

        Assert.Empty(await EntriesAsync(subject));
    }

    [Fact]
    public async Task Entries_outlive_the_run_that_they_tell_of()
    {
        var run = await catalog.SubmitAsync();
        await using (var context = await catalog.Contexts.CreateDbContextAsync())
        {
            Assert.Equal(1, await context.Runs.Where(row => row.Id == run.Id).ExecuteDeleteAsync());
        }

        Assert.Single(await EntriesAsync($"{run.Id:D}"));
    }

    private async Task<List<AuditEntry>> EntriesAsync(string subject)
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        return await context.AuditLog.AsNoTracking().Where(entry => entry.Subject == subject).OrderBy(entry => entry.Id).ToListAsync();
    }
}
