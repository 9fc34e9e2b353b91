using System.Diagnostics.Metrics;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Distributed.ServiceDefaults;

/// <summary>Publishes what readiness says, check by check, so that an alert can name what a host waits for.</summary>
internal sealed class ReadinessMetrics : IHealthCheckPublisher
{
    private volatile HealthReport? _report;

    public ReadinessMetrics(IMeterFactory meters) =>
        meters
            .Create("Distributed.ServiceDefaults")
            .CreateObservableGauge(
                "distributed.host.ready",
                Measure,
                "1",
                "Whether a check of readiness passes (1) or not (0), by check; the host takes work when all do"
            );

    public Task PublishAsync(HealthReport report, CancellationToken cancellationToken)
    {
        _report = report;
        return Task.CompletedTask;
    }

    private IEnumerable<Measurement<int>> Measure() =>
        _report is not { } report
            ? []
            : report.Entries.Select(check => new Measurement<int>(
                check.Value.Status == HealthStatus.Healthy ? 1 : 0,
                new KeyValuePair<string, object?>("check", check.Key)
            ));
}
