using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Distributed.Catalog;

/// <summary>How a host comes to the catalog's schema.</summary>
/// <param name="Migrate">Whether it makes it itself, as the owner of the tables; otherwise it waits until somebody else has.</param>
public sealed record CatalogMigrationOptions(bool Migrate = true);

/// <summary>
/// Brings the catalog to this program's schema at start, or waits until it is there; also for the database where that is away,
/// and where a later version of the program has migrated the catalog: then somebody else is to be started.
/// </summary>
public sealed partial class CatalogMigration(
    IDbContextFactory<CatalogContext> contexts,
    CatalogMigrationOptions options,
    TimeProvider time,
    ILogger<CatalogMigration> logger
) : BackgroundService
{
    private const long MigrationLock = 0x4469_7374_7269_6275;
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(2);
    private const string Away = "The catalog's database cannot be reached.";
    private const string NotMigrated =
        "The catalog does not have this program's schema yet, and this host does not migrate it (Catalog__Migrate). Run AdminApi's command migrate as the owner of the tables.";

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the catalog can be used; nobody touches it before.</summary>
    public Task Ready => _ready.Task;

    /// <summary>What it waits for, in whole sentences; null where it has not looked yet, or is ready.</summary>
    public string? Waiting { get; private set; }

    /// <summary>Waits a moment for the catalog.</summary>
    /// <returns>Null when it can be used; otherwise what it waits for, in whole sentences.</returns>
    public async Task<string?> FindPendingAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Ready.WaitAsync(Moment, time, cancellationToken);
            return null;
        }
        catch (TimeoutException)
        {
            return Waiting ?? "The catalog is being migrated.";
        }
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var reminder = new Reminder(time);
        for (var wait = TimeSpan.FromMilliseconds(250); ; wait = TimeSpan.FromSeconds(Math.Min(5, wait.TotalSeconds * 2)))
        {
            Exception? outage = null;
            try
            {
                await using var context = await contexts.CreateDbContextAsync(stoppingToken);
                if (options.Migrate)
                {
                    await MigrateAsync(context, stoppingToken);
                }

                if (options.Migrate || await IsCurrentAsync(context, stoppingToken))
                {
                    Waiting = null;
                    _ready.TrySetResult();
                    return;
                }

                Waiting = NotMigrated;
            }
            catch (CatalogVersionException exception)
            {
                Waiting = exception.Message;
            }
            catch (Exception exception) when (CatalogOutage.Is(exception))
            {
                (Waiting, outage) = (Away, exception);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                _ready.TrySetException(exception);
                throw;
            }

            if (reminder.IsDue(Waiting))
            {
                LogWaiting(outage is null ? Waiting : $"{Waiting} {outage.GetBaseException().Message}");
            }

            await Task.Delay(wait, stoppingToken);
        }
    }

    /// <summary>Whether the catalog has everything that this program's schema has.</summary>
    /// <exception cref="CatalogVersionException">It has more, from a later version of the program.</exception>
    public static async Task<bool> IsCurrentAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var known = context.Database.GetMigrations().ToHashSet(StringComparer.Ordinal);
        var applied = (await context.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList();
        return applied.Where(migration => !known.Contains(migration)).ToList() is { Count: > 0 } unknown
            ? throw CatalogVersionException.Of(unknown)
            : applied.Count == known.Count;
    }

    /// <summary>Brings the catalog to this program's schema; hosts that do so at once wait for each other.</summary>
    /// <exception cref="CatalogVersionException">A later version of the program has migrated it.</exception>
    public static async Task MigrateAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        // Before anything is changed, and once more below: another host may migrate meanwhile.
        await IsCurrentAsync(context, cancellationToken);
        if (!context.Database.IsNpgsql())
        {
            await context.Database.MigrateAsync(cancellationToken);
            await ChangeTriggers.ApplyAsync(context, cancellationToken);
            // One flush a commit instead of four, and readers wait for no writer. It stays so in the file.
            await context.Database.ExecuteSqlRawAsync("pragma journal_mode = wal", cancellationToken);
            return;
        }

        // EF's own lock on Postgres ends with each migration's transaction, so hosts that start together would run the next one
        // twice. This one is the connection's, and ends with it at the latest.
        await context.Database.OpenConnectionAsync(cancellationToken);
        await context.Database.ExecuteSqlAsync($"select pg_advisory_lock({MigrationLock})", cancellationToken);
        try
        {
            await IsCurrentAsync(context, cancellationToken);
            await context.Database.MigrateAsync(cancellationToken);
            await ChangeTriggers.ApplyAsync(context, cancellationToken);
            await context.Database.ExecuteSqlAsync($"select pg_advisory_unlock({MigrationLock})", cancellationToken);
        }
        catch
        {
            // Or the connection would keep the lock in the pool.
            NpgsqlConnection.ClearPool((NpgsqlConnection)context.Database.GetDbConnection());
            throw;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Waiting for the catalog, and looking every few seconds: {Cause}")]
    private partial void LogWaiting(string cause);
}
