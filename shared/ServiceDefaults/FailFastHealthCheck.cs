using Distributed.Jobs;
using Distributed.Messaging;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Distributed.ServiceDefaults;

/// <summary>Not ready from the moment on that the process takes no more work.</summary>
internal sealed class FailFastHealthCheck(FailFast failFast) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(failFast.Reason is { } reason ? HealthCheckResult.Unhealthy(reason) : HealthCheckResult.Healthy());
}
