using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Distributed.Catalog;

/// <summary>How a host comes to the catalog's schema.</summary>
/// <param name="Migrate">Whether it makes it itself, as the owner of the tables; otherwise it waits until somebody else has.</param>
public sealed record CatalogMigrationOptions(bool Migrate = true);

/// <summary>Brings the catalog to this program's schema at start, or waits until it is there; also for the database where that is away.</summary>
public sealed partial class CatalogMigration(IDbContextFactory<CatalogContext> contexts, CatalogMigrationOptions options, ILogger<CatalogMigration> logger) : BackgroundService
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
                if (options.Migrate)
                {
                    await MigrateAsync(context, stoppingToken);
                }

                if (options.Migrate || await IsCurrentAsync(context, stoppingToken))
                {
                    _ready.TrySetResult();
                    return;
                }

                LogNotMigrated(wait.TotalSeconds);
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

    /// <summary>Whether the catalog has everything that this program's schema has; it may have more, from a later version.</summary>
    public static async Task<bool> IsCurrentAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return !(await context.Database.GetPendingMigrationsAsync(cancellationToken)).Any();
    }

    /// <summary>Brings the catalog to this program's schema; hosts that do so at once wait for each other.</summary>
    public static async Task MigrateAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!context.Database.IsNpgsql())
        {
            await context.Database.MigrateAsync(cancellationToken);
            // One flush a commit instead of four, and whoever reads waits for no writer. It stays so in the file.
            await context.Database.ExecuteSqlRawAsync("pragma journal_mode = wal", cancellationToken);
            return;
        }

        // EF's own lock on Postgres ends with each migration's transaction, so hosts that start together would run the next one
        // twice. This one is the connection's, and ends with it at the latest.
        await context.Database.OpenConnectionAsync(cancellationToken);
        await context.Database.ExecuteSqlAsync($"select pg_advisory_lock({MigrationLock})", cancellationToken);
        try
        {
            await context.Database.MigrateAsync(cancellationToken);
            await context.Database.ExecuteSqlAsync($"select pg_advisory_unlock({MigrationLock})", cancellationToken);
        }
        catch
        {
            // Or the connection would keep the lock in the pool.
            NpgsqlConnection.ClearPool((NpgsqlConnection)context.Database.GetDbConnection());
            throw;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The catalog's database cannot be reached; next try in {Seconds} s")]
    private partial void LogWaiting(Exception exception, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The catalog does not have this program's schema yet, and this host does not migrate it (Catalog:Migrate); next look in {Seconds} s. Run AdminApi's command migrate as the owner of the tables")]
    private partial void LogNotMigrated(double seconds);
}
