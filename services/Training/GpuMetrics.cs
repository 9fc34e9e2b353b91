using System.Diagnostics.Metrics;
using Distributed.Vision.Devices;

namespace Distributed.Training;

/// <summary>Publishes how busy the GPUs are, by OpenTelemetry's conventions for hardware; nothing on a machine without NVIDIA's driver.</summary>
internal sealed class GpuMetrics : IHostedService, IDisposable
{
    private static readonly TimeSpan KnownFor = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly Nvml? _nvml;
    private readonly Lock _lock = new();
    private IReadOnlyList<Gpu> _gpus = [];
    private long? _readAt;

    public GpuMetrics(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        _nvml = Nvml.Open();
        if (_nvml is null)
        {
            return;
        }

        var meter = meters.Create("Distributed.Training");
        meter.CreateObservableGauge(
            "hw.gpu.utilization",
            () => Measure(gpu => gpu.Utilization),
            "1",
            "The share of time in which a GPU computed"
        );
        meter.CreateObservableGauge(
            "hw.gpu.memory.usage",
            () => Measure(gpu => gpu.MemoryUsed),
            "By",
            "Bytes of a GPU's memory that are in use"
        );
        meter.CreateObservableGauge("hw.gpu.memory.limit", () => Measure(gpu => gpu.MemoryLimit), "By", "Bytes of memory that a GPU has");
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _nvml?.Dispose();

    private IEnumerable<Measurement<T>> Measure<T>(Func<Gpu, T> of)
        where T : struct => Read().Select(gpu => new Measurement<T>(of(gpu), new("hw.id", gpu.Id), new("hw.name", gpu.Name)));

    /// <summary>The GPUs; none on a machine without NVIDIA's driver. Asked once a scrape, for all that want to know.</summary>
    public IReadOnlyList<Gpu> Read()
    {
        if (_nvml is null)
        {
            return [];
        }

        lock (_lock)
        {
            if (_readAt is not { } at || _time.GetElapsedTime(at) > KnownFor)
            {
                (_gpus, _readAt) = (_nvml.Read(), _time.GetTimestamp());
            }

            return _gpus;
        }
    }
}
