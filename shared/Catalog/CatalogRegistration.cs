using System.Data.Common;
using Distributed.Jobs;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Distributed.Catalog;

/// <summary>Registers the catalog in a host.</summary>
public static class CatalogRegistration
{
    /// <summary>How a connection string to the catalog is written.</summary>
    public const string ConnectionStringForm =
        "a Postgres connection string (Host=...;Database=...;Username=...;Password=..., a password with ; or = in it in quotes: Password='...')";

    /// <summary>The pool of connections as metrics name it, rather than by its connection string.</summary>
    private const string PoolName = "catalog";

    private const string Sqlite = "Data Source=";

    /// <summary>What is wrong with a connection string; null when nothing is. What it holds is not repeated.</summary>
    /// <param name="connectionString">The connection string.</param>
    public static string? FindError(string connectionString)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        try
        {
            DbConnectionStringBuilder parsed = IsSqlite(connectionString)
                ? new SqliteConnectionStringBuilder(connectionString)
                : new NpgsqlConnectionStringBuilder(connectionString);
            return parsed is NpgsqlConnectionStringBuilder { Host: null or "" } ? "names no host" : null;
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // The driver's message may hold what follows a semicolon in a password.
            return "is malformed";
        }
    }

    /// <summary>Adds the catalog, its rules, and its migration at start.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="connectionString">An Npgsql connection string, or <c>Data Source=FILE</c> for SQLite.</param>
    /// <param name="migrate">Whether the host migrates at start; otherwise it waits until another has.</param>
    /// <exception cref="ArgumentException">The connection string is empty or malformed.</exception>
    public static IServiceCollection AddCatalog(this IServiceCollection services, string? connectionString, bool migrate = true)
    {
        if (string.IsNullOrWhiteSpace(connectionString))
        {
            throw new ArgumentException($"ConnectionStrings__Catalog is not set; give {ConnectionStringForm}.", nameof(connectionString));
        }

        if (IsSqlite(connectionString))
        {
            services.AddDbContextFactory<SqliteCatalogContext>(builder =>
                builder.UseSqlite(connectionString).UseSnakeCaseNamingConvention().AddInterceptors(new SqliteBusyWait())
            );
            services.AddSingleton<IDbContextFactory<CatalogContext>, CatalogContextFactory<SqliteCatalogContext>>();
        }
        else
        {
            var tuned = Tune(connectionString);
            services.AddPooledDbContextFactory<PostgresCatalogContext>(builder =>
                builder
                    .UseNpgsql(tuned, npgsql => npgsql.ConfigureDataSource(source => source.Name = PoolName))
                    .UseSnakeCaseNamingConvention()
            );
            services.AddSingleton<IDbContextFactory<CatalogContext>, CatalogContextFactory<PostgresCatalogContext>>();
        }

        services.AddSingleton<IDbContextFactory<JobsContext>, JobsContextFactory<CatalogContext>>();
        services.AddSingleton(new OutageError("database", CatalogOutage.Is));
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(new CatalogMigrationOptions(migrate));
        services.AddSingleton<VolumeIdentity>();
        services.AddSingleton<CatalogMigration>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<CatalogMigration>());
        return services;
    }

    /// <summary>The server keeps the plans of our few statements, and clears nothing after each use, since we leave nothing in a session; what the string says itself holds.</summary>
    private static string Tune(string connectionString)
    {
        var builder = Parse(connectionString);
        if (!builder.ShouldSerialize("Max Auto Prepare"))
        {
            builder.MaxAutoPrepare = 200;
        }

        if (!builder.ShouldSerialize("No Reset On Close"))
        {
            builder.NoResetOnClose = true;
        }

        return builder.ConnectionString;
    }

    private static bool IsSqlite(string connectionString) => connectionString.StartsWith(Sqlite, StringComparison.OrdinalIgnoreCase);

    private static bool IsMalformed(Exception exception) =>
        exception is ArgumentException or FormatException or InvalidCastException or OverflowException;

    private static NpgsqlConnectionStringBuilder Parse(string connectionString)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // Neither the driver's message nor the exception is passed on.
#pragma warning disable CA2208, MA0015, MA0054 // Of the setting, not of a parameter; and alone.
            throw new ArgumentException($"ConnectionStrings__Catalog is malformed; it must be {ConnectionStringForm}.");
#pragma warning restore CA2208, MA0015, MA0054
        }
    }

    /// <summary>
    /// The driver looks only every 150 ms whether another writer is done, blocking its thread; SQLite itself begins at a millisecond.
    /// </summary>
    private sealed class SqliteBusyWait : DbConnectionInterceptor
    {
        private const string Wait = "PRAGMA busy_timeout = 5000";

        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
        {
            using var command = connection.CreateCommand();
            command.CommandText = Wait;
            command.ExecuteNonQuery();
        }

        public override async Task ConnectionOpenedAsync(
            DbConnection connection,
            ConnectionEndEventData eventData,
            CancellationToken cancellationToken = default
        )
        {
            await using var command = connection.CreateCommand();
            command.CommandText = Wait;
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private sealed class CatalogContextFactory<T>(IDbContextFactory<T> inner) : IDbContextFactory<CatalogContext>
        where T : CatalogContext
    {
        public CatalogContext CreateDbContext()
        {
            var context = inner.CreateDbContext();
            // A transaction in which something fails is rolled back as a whole.
            context.Database.AutoSavepointsEnabled = false;
            return context;
        }
    }
}
