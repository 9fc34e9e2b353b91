using Distributed.Messaging;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Distributed.ServiceDefaults;

/// <summary>Ready when messages can be sent and are kept: the bus has started, and all queues are there.</summary>
internal sealed class QueueHealthCheck(BusGate gate) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(
            gate.Open.IsCompletedSuccessfully
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy(gate.Waiting ?? "The bus has not started yet.")
        );
}
