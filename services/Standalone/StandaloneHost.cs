using Distributed.AdminApi;
using Distributed.Catalog;
using Distributed.Datasets.Sources;
using Distributed.Evaluation;
using Distributed.Ingestion;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.ServiceDefaults;
using Distributed.Training;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Standalone;

/// <summary>All services in one process, on a volume of their own: in-memory bus, SQLite beside the data.</summary>
internal static class StandaloneHost
{
    /// <summary>Where data go when nothing else is said.</summary>
    public const string DefaultVolume = "volume";

    /// <summary>Name of the catalog on a volume.</summary>
    public const string CatalogName = "catalog.db";

    /// <summary>Registers all services over a volume.</summary>
    /// <exception cref="HostSettingsException">A setting is wrong.</exception>
    public static void AddServices(IHostApplicationBuilder builder, string volume)
    {
        builder.Configuration.AddInMemoryCollection(
            new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["Volume:Root"] = volume,
                ["ConnectionStrings:Catalog"] = CatalogOf(volume),
                ["ConnectionStrings:RabbitMq"] = "in-memory",
            }
        );
        if (!builder.Configuration.GetSection("Data:Roots").Exists())
        {
            // The user of this process may read what the process may read.
            builder.Services.AddSingleton(new DataRoots(Directory.GetLogicalDrives()));
        }

        if (!builder.Configuration.GetSection("Api:Keys").Exists())
        {
            // For one person on one machine. Who comes from elsewhere, where it listens there, needs a key.
            builder.Configuration.AddInMemoryCollection([KeyValuePair.Create("Api:Keys", (string?)"loopback")]);
        }

        if (Settings().FindErrors(builder.Configuration) is { Count: > 0 } errors)
        {
            throw new HostSettingsException(errors);
        }

        var consumers = new ConsumerSet();
        builder.AddAdminApi(consumers);
        builder.AddIngestion(consumers);
        builder.AddTraining(consumers);
        builder.AddEvaluation(consumers);
        // Its catalog stands on its volume.
        builder.Services.AddSingleton(new VolumeOptions(VolumeDuty.Adopt));
        builder.AddServiceDefaults("standalone", consumers);
        builder.Services.AddSingleton<RunOutcomeReader>();
        builder.Services.AddStopSignals();
    }

    /// <summary>The catalog of a volume.</summary>
    public static string CatalogOf(string volume) =>
        new SqliteConnectionStringBuilder { DataSource = Path.Combine(volume, CatalogName) }.ConnectionString;

    private static HostSettings Settings()
    {
        var settings = new HostSettings().AddDefaults();
        AdminApiModule.DescribeSettings(settings);
        IngestionModule.DescribeSettings(settings);
        TrainingModule.DescribeSettings(settings);
        return settings;
    }

    /// <summary>Starts the host, going on with what an earlier process on this volume left unfinished.</summary>
    public static async Task StartAsync(IHost host, CancellationToken cancellationToken)
    {
        await using (
            var context = await host
                .Services.GetRequiredService<IDbContextFactory<CatalogContext>>()
                .CreateDbContextAsync(cancellationToken)
        )
        {
            // SQLite has no lock that dies with its process: the row that a killed one left would be waited for without end,
            // and no other process is on this volume.
            await context.Database.ExecuteSqlRawAsync("""DROP TABLE IF EXISTS "__EFMigrationsLock";""", cancellationToken);
            try
            {
                await CatalogMigration.MigrateAsync(context, cancellationToken);
            }
            catch (CatalogVersionException exception)
            {
                throw new CommandException(exception.Message, exception);
            }
        }

        await host.Services.GetRequiredService<JobRepair>().ReclaimOrphansAsync(cancellationToken);
        try
        {
            await host.StartAsync(cancellationToken);
        }
        catch (OperationCanceledException exception) when (HasFailedFast(host))
        {
            throw ReasonOf(host, exception);
        }
    }

    /// <summary>Whether the host has ended by itself, since it cannot work.</summary>
    public static bool HasFailedFast(IHost host) => host.Services.GetRequiredService<FailFast>().Reason is not null;

    /// <summary>Why it has.</summary>
    public static CommandException ReasonOf(IHost host, OperationCanceledException exception)
    {
        var failFast = host.Services.GetRequiredService<FailFast>();
        return new CommandException(failFast.Reason!, exception) { Status = failFast.ExitCode };
    }
}
