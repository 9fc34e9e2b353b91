using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Catalog;

/// <summary>Brings the catalog to this program's schema at start, waiting for the database where it is not there yet.</summary>
public sealed partial class CatalogMigration(IDbContextFactory<CatalogContext> contexts, ILogger<CatalogMigration> logger) : BackgroundService
{
    private const long MigrationLock = 0x4469_7374_7269_6275;

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the catalog can be used; nobody touches it before.</summary>
    public Task Ready => _ready.Task;

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var wait = TimeSpan.FromMilliseconds(250);
        while (true)
        {
            try
            {
                await using var context = await contexts.CreateDbContextAsync(stoppingToken);
                await MigrateAsync(context, stoppingToken);
                _ready.TrySetResult();
                return;
            }
            catch (Exception exception) when (CatalogOutage.Is(exception))
            {
                LogWaiting(exception, wait.TotalSeconds);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                _ready.TrySetException(exception);
                throw;
            }

            await Task.Delay(wait, stoppingToken);
            wait = TimeSpan.FromSeconds(Math.Min(5, wait.TotalSeconds * 2));
        }
    }

    private static async Task MigrateAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        if (!context.Database.IsNpgsql())
        {
            await context.Database.MigrateAsync(cancellationToken);
            return;
        }

        // EF's own lock on Postgres ends with each migration's transaction, so hosts that start together would run the next one
        // twice. This one is the connection's, and ends with it at the latest.
        await context.Database.OpenConnectionAsync(cancellationToken);
        await context.Database.ExecuteSqlAsync($"select pg_advisory_lock({MigrationLock})", cancellationToken);
        await context.Database.MigrateAsync(cancellationToken);
        await context.Database.ExecuteSqlAsync($"select pg_advisory_unlock({MigrationLock})", cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The catalog's database cannot be reached; next try in {Seconds} s")]
    private partial void LogWaiting(Exception exception, double seconds);
}
