using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Distributed.Jobs;

/// <summary>Registers what every host needs to plan, send and do jobs.</summary>
public static class JobsRegistration
{
    /// <summary>
    /// Adds the jobs of a system. The host also registers a <c>IDbContextFactory&lt;JobsContext&gt;</c>, a transport
    /// (<see cref="IJobTransport"/>) and, where its jobs cross scopes, an <see cref="IJobFlow"/>.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="stages">The system's stages.</param>
    public static IServiceCollection AddJobs(this IServiceCollection services, JobStages stages)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(new JobOptions());
        services.AddSingleton(stages);
        services.AddSingleton<JobStore>();
        services.AddSingleton<JobOutbox>();
        services.AddSingleton<JobRepair>();
        services.AddSingleton<JobErrors>();
        services.AddSingleton<OutageRetry>();
        services.AddSingleton<JobDispatcher>();
        services.AddSingleton<JobAlarm>();
        services.AddSingleton<PriorityLimiter>();
        services.AddSingleton<JobAdmission>();
        services.AddSingleton<JobHeartbeat>();
        services.AddSingleton<JobRelease>();
        services.AddSingleton<JobContinuation>();
        services.AddSingleton<JobFaultHandler>();
        services.AddSingleton<PrecedingSpans>();
        services.AddSingleton<JobWorker>();
        services.AddSingleton<FailFast>();
        services.AddSingleton<HostChecks>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<HostChecks>());
        services.TryAddSingleton<IJobFlow, JobFlow>();
        return services;
    }
}
