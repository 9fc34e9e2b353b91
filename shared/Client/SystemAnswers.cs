namespace Distributed.Client;

/// <summary>A list that comes whole.</summary>
/// <param name="Items">What is on it.</param>
public sealed record WholeList<T>(IReadOnlyList<T> Items);

/// <summary>A process of the system.</summary>
public sealed record WorkerSummary
{
    /// <summary>Machine and process id.</summary>
    public required string Name { get; init; }

    /// <summary>The machine, or the container.</summary>
    public required string Machine { get; init; }

    /// <summary>The service; <c>standalone</c> is all of them.</summary>
    public required string Service { get; init; }

    /// <summary>The program's version.</summary>
    public required string Version { get; init; }

    /// <summary><c>alive</c>, or <c>lost</c> where it has not reported for a while.</summary>
    public required string State { get; init; }

    /// <summary>When it began (UTC).</summary>
    public required DateTime StartedAt { get; init; }

    /// <summary>When it reported last (UTC).</summary>
    public required DateTime SeenAt { get; init; }

    /// <summary>What it computes on; null where it computes nothing.</summary>
    public string? Device { get; init; }

    /// <summary>Processor cores that it may use.</summary>
    public required int Processors { get; init; }

    /// <summary>The share of them that it uses; 0 to 1.</summary>
    public required double ProcessorShare { get; init; }

    /// <summary>Bytes of memory that it uses.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Bytes of memory that it may use.</summary>
    public required long MemoryLimitBytes { get; init; }

    /// <summary>Images a second that it packed or turned into features, of late.</summary>
    public required double ImagesPerSecond { get; init; }

    /// <summary>Its GPU; null where it uses none.</summary>
    public GpuSummary? Gpu { get; init; }

    /// <summary>The jobs that it works on.</summary>
    public IReadOnlyList<WorkerJob> Jobs { get; init; } = [];
}

/// <summary>A GPU.</summary>
/// <param name="Name">Its model.</param>
/// <param name="Share">The share of the last moments in which it computed; 0 to 1.</param>
/// <param name="MemoryBytes">Bytes in use.</param>
/// <param name="MemoryLimitBytes">Bytes it has.</param>
public sealed record GpuSummary(string Name, double? Share, long? MemoryBytes, long? MemoryLimitBytes);

/// <summary>A job that is worked on.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="RunId">The run that it is done for.</param>
/// <param name="Step">Which slice, range or shard.</param>
/// <param name="Since">When the attempt began (UTC).</param>
/// <param name="WaitingFor">The outage that it waits for.</param>
public sealed record WorkerJob(string Kind, Guid? RunId, int Step, DateTime Since, string? WaitingFor);

/// <summary>A kind of job, and what waits for whom.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Service">Whose workers do it.</param>
/// <param name="Waiting">Jobs that no worker has claimed.</param>
/// <param name="Running">Jobs that are worked on.</param>
/// <param name="Blocked">Jobs that wait for a damaged file to be made again.</param>
/// <param name="OldestWaitingSince">When the oldest that waits was planned (UTC).</param>
/// <param name="Messages">Messages ready at the broker; null where it does not answer, or there is none.</param>
/// <param name="Consumers">Workers that take them.</param>
public sealed record QueueSummary(
    string Kind,
    string Service,
    int Waiting,
    int Running,
    int Blocked,
    DateTime? OldestWaitingSince,
    long? Messages,
    long? Consumers
);

/// <summary>Something that was given up.</summary>
/// <param name="Id">Identity.</param>
/// <param name="At">When (UTC).</param>
/// <param name="Reason">Why.</param>
/// <param name="Queue">The queue that its message was sent to.</param>
/// <param name="Job">The job; null for a message that names none.</param>
/// <param name="RunId">The run, where the job is of one alone.</param>
/// <param name="RequeuedAt">When it was requeued (UTC); null where it was not.</param>
/// <param name="RequeuedBy">Who requeued it.</param>
public sealed record DeadLetterSummary(
    Guid Id,
    DateTime At,
    string Reason,
    string Queue,
    DeadJob? Job,
    Guid? RunId,
    DateTime? RequeuedAt,
    string? RequeuedBy
);

/// <summary>A job without attempts left.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Scope">What it is done for.</param>
/// <param name="Step">Which slice, range or shard.</param>
public sealed record DeadJob(string Kind, string Scope, int Step);

/// <summary>A job that a run needs.</summary>
public sealed record JobDetail
{
    /// <summary>Identity.</summary>
    public required long Id { get; init; }

    /// <summary>What is done.</summary>
    public required string Kind { get; init; }

    /// <summary>Whether other runs may need it, too.</summary>
    public required bool IsShared { get; init; }

    /// <summary>Which slice, range or shard.</summary>
    public required int Step { get; init; }

    /// <summary><c>pending</c>, <c>running</c>, <c>done</c>, <c>failed</c> or <c>blocked</c>.</summary>
    public required string State { get; init; }

    /// <summary>When it was planned (UTC).</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>The error of the latest failed attempt, or what it waits for while it is blocked.</summary>
    public string? LastError { get; init; }

    /// <summary>All attempts, the first first.</summary>
    public IReadOnlyList<AttemptDetail> Attempts { get; init; } = [];
}

/// <summary>One attempt at a job.</summary>
/// <param name="Worker">The process that tried, by machine and process id.</param>
/// <param name="StartedAt">When it began (UTC).</param>
/// <param name="EndedAt">When it ended (UTC).</param>
/// <param name="Outcome">How it ended, such as <c>done</c> or <c>retried</c>; null where it has not said so.</param>
/// <param name="IsLost">Whether its process was killed, or fell silent, before it could say so.</param>
/// <param name="Error">The error that ended it.</param>
/// <param name="WaitingFor">The outage that it waits for.</param>
public sealed record AttemptDetail(
    string Worker,
    DateTime StartedAt,
    DateTime? EndedAt,
    string? Outcome,
    bool IsLost,
    string? Error,
    string? WaitingFor
);
