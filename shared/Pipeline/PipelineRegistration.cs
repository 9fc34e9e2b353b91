using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Pipeline;

/// <summary>Registers the run pipeline in a host.</summary>
public static class PipelineRegistration
{
    /// <summary>Adds the jobs of runs: their stages, what follows from them, how their files are recomputed, and what is done to runs from outside.</summary>
    /// <param name="services">The host's services; they have the catalog and a transport.</param>
    public static IServiceCollection AddPipeline(this IServiceCollection services)
    {
        services.AddSingleton<IJobFlow, RunFlow>();
        services.AddSingleton<CheckpointRecovery>();
        services.AddSingleton<IJobRecovery, FileRecovery>();
        services.AddSingleton<RunRegister>();
        services.AddSingleton<RunControl>();
        services.AddSingleton<IWatchdogTask>(provider => provider.GetRequiredService<RunControl>());
        services.AddSingleton<IHostCheck, CatalogCheck>();
        services.AddSingleton(new OutageError("volume", VolumeOutage.Is));
        return services.AddJobs(RunStages.All);
    }
}
