namespace Distributed.ServiceDefaults;

/// <summary>Says what a host computes on, for the list of workers; registered by a service that computes.</summary>
public interface IWorkerDevice
{
    /// <summary>Reads it; null where it is not chosen yet.</summary>
    WorkerDevice? Read();
}

/// <summary>What a host computes on.</summary>
/// <param name="Name">As settings name it: <c>cpu</c>, <c>cuda:0</c>.</param>
/// <param name="Gpu">The GPU's model; null for a processor.</param>
/// <param name="GpuShare">The share of the last moments in which the GPU computed; 0 to 1.</param>
/// <param name="GpuMemoryBytes">Bytes of its memory in use, of all processes.</param>
/// <param name="GpuMemoryLimitBytes">Bytes of memory it has.</param>
public sealed record WorkerDevice(
    string Name,
    string? Gpu = null,
    double? GpuShare = null,
    long? GpuMemoryBytes = null,
    long? GpuMemoryLimitBytes = null
);
