namespace Distributed.Catalog;

/// <summary>Whether a process is there.</summary>
public enum WorkerState
{
    /// <summary>It reports.</summary>
    Alive,

    /// <summary>It has not reported for a while: it was killed, or cannot reach the database.</summary>
    Lost,
}

/// <summary>A process of the system, as it last reported itself. Table <c>workers</c>.</summary>
public sealed class Worker
{
    /// <summary>Machine and process id, as attempts name it.</summary>
    public required string Name { get; init; }

    /// <summary>The machine, or the container.</summary>
    public required string Machine { get; init; }

    /// <summary>The service: <c>training</c>, <c>ingestion</c> and so on; <c>standalone</c> is all of them.</summary>
    public required string Service { get; init; }

    /// <summary>The program's version.</summary>
    public required string Version { get; init; }

    /// <summary>When the process began to report (UTC).</summary>
    public required DateTime StartedAt { get; init; }

    /// <summary>When it reported last (UTC, database clock).</summary>
    public required DateTime SeenAt { get; set; }

    /// <summary>Whether it is there.</summary>
    public WorkerState State { get; set; }

    /// <summary>What it computes on: <c>cpu</c> or <c>cuda:0</c>; null where it computes nothing, or has not chosen yet.</summary>
    public string? Device { get; set; }

    /// <summary>Processor cores that it may use.</summary>
    public required int Processors { get; init; }

    /// <summary>The share of them that it used since it reported before; 0 to 1.</summary>
    public required double ProcessorShare { get; set; }

    /// <summary>Bytes of memory that it uses.</summary>
    public required long MemoryBytes { get; set; }

    /// <summary>Bytes of memory that it may use.</summary>
    public required long MemoryLimitBytes { get; set; }

    /// <summary>Images a second that it packed or turned into features, over the last half minute.</summary>
    public required double ImagesPerSecond { get; set; }

    /// <summary>The model of its GPU; null where it has none.</summary>
    public string? Gpu { get; set; }

    /// <summary>The share of the last moments in which the GPU computed; 0 to 1.</summary>
    public double? GpuShare { get; set; }

    /// <summary>Bytes of the GPU's memory in use, of all processes.</summary>
    public long? GpuMemoryBytes { get; set; }

    /// <summary>Bytes of memory that the GPU has.</summary>
    public long? GpuMemoryLimitBytes { get; set; }
}
