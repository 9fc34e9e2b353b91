using System.Diagnostics;
using Distributed.Storage;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Distributed.ServiceDefaults;

/// <summary>
/// Ready when the volume is there and can be written. A small file is written for it, at most every two seconds however many
/// ask; a volume that hangs costs one thread and not one a question.
/// </summary>
/// <param name="root">Where the volume is, for people.</param>
/// <param name="probe">Tries the volume.</param>
/// <param name="patience">How long it may take.</param>
internal sealed class VolumeHealthCheck(string root, Action probe, TimeSpan patience) : IHealthCheck
{
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private Task? _probe;
    private long _begun;

    public VolumeHealthCheck(Volume volume)
        : this(volume.Root, volume.Probe, TimeSpan.FromSeconds(5)) { }

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        Task running;
        long begun;
        lock (_lock)
        {
            if (_probe is null || (_probe.IsCompleted && Stopwatch.GetElapsedTime(_begun) > KeptFor))
            {
                _begun = Stopwatch.GetTimestamp();
                _probe = Task.Run(probe, CancellationToken.None);
            }

            (running, begun) = (_probe, _begun);
        }

        try
        {
            // Of the patience only what is left: an earlier check may have begun the probe long ago.
            var left = patience - Stopwatch.GetElapsedTime(begun);
            await running.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (TimeoutException)
        {
            return HealthCheckResult.Unhealthy(
                $"The volume {root} has not answered for {Stopwatch.GetElapsedTime(begun).TotalSeconds:F0} s."
            );
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return HealthCheckResult.Unhealthy($"The volume {root} cannot be used: {exception.Message}");
        }
    }
}
