using Distributed.Jobs;
using Distributed.Messaging;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Distributed.ServiceDefaults;

/// <summary>Ready when this host has shown that it can work.</summary>
internal sealed class HostHealthCheck(HostChecks checks) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var pending = checks.Pending;
        return Task.FromResult(
            pending.Count == 0
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy(string.Join(" ", pending.Select(check => $"{check.Name}: {check.Reason}")))
        );
    }
}
