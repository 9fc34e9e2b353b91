using System.Collections.Frozen;
using System.Text.Json;
using Distributed.Contracts;

namespace Distributed.Jobs;

/// <summary>
/// A kind of job, declared once: its message, its queues, what its work uses, who does it, and what must be done before it. A
/// system's stages together are its <see cref="JobStages"/>.
/// </summary>
public record JobStage
{
    private readonly Func<string, int, IJobMessage> _create;

    private protected JobStage(Type messageType, Func<string, int, IJobMessage> create)
    {
        (MessageType, _create) = (messageType, create);
        Queue = JsonNamingPolicy.KebabCaseLower.ConvertName(messageType.Name);
    }

    /// <summary>The message type.</summary>
    public Type MessageType { get; }

    /// <summary>The name of the message type, which jobs have as their kind.</summary>
    public string Kind => MessageType.Name;

    /// <summary>Name of the queue of interactive jobs, and of the exchange before it: that of the message type in kebab case.</summary>
    public string Queue { get; }

    /// <summary>Its queues: quorum queues know no priorities, so there is one for each.</summary>
    public IEnumerable<string> Queues => Enum.GetValues<RunPriority>().Select(QueueFor);

    /// <summary>What its work uses most: a host does one job at a time of those that use the same.</summary>
    public required string Resource { get; init; }

    /// <summary>The service whose workers do it; also the name of that service's user of the broker.</summary>
    public required string Service { get; init; }

    /// <summary>
    /// The stages that are done before this one. A job that is blocked goes on when no job of them, nor of those before them, is
    /// left to do for the runs that need it.
    /// </summary>
    public IReadOnlyList<JobStage> After { get; init; } = [];

    /// <summary>
    /// The stage of the same scope whose jobs, once all of them are done, are followed by one job of this stage. Null where a
    /// handler plans this stage's jobs, or the system in another way.
    /// </summary>
    public JobStage? FollowsAllOf { get; init; }

    /// <summary>Whether its jobs are a chain of slices, each planned by the one before, rather than independent of each other.</summary>
    public bool IsChain { get; init; }

    /// <summary>The queue of a priority.</summary>
    public string QueueFor(RunPriority priority) => priority == RunPriority.Interactive ? Queue : $"{Queue}-bulk";

    /// <summary>Makes the message of a job.</summary>
    public IJobMessage CreateMessage(string scope, int step) => _create(scope, step);

    /// <inheritdoc />
    public override string ToString() => Kind;
}

/// <summary>A kind of job with a message type.</summary>
/// <typeparam name="TJob">The message type; the kind is its name.</typeparam>
/// <param name="create">Makes the message from scope and step.</param>
public record JobStage<TJob>(Func<string, int, TJob> create) : JobStage(typeof(TJob), (scope, step) => create(scope, step))
    where TJob : class, IJobMessage;

/// <summary>All stages of a system.</summary>
public sealed class JobStages
{
    private readonly FrozenDictionary<string, JobStage> _byKind;
    private readonly FrozenDictionary<string, IReadOnlyList<string>> _before;

    /// <param name="stages">The stages, each after those that it comes after.</param>
    /// <exception cref="ArgumentException">Two have one name, or one is given before a stage that it comes after.</exception>
    public JobStages(IEnumerable<JobStage> stages)
    {
        All = [.. stages];
        var before = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var stage in All)
        {
            JobStage[] after = stage.FollowsAllOf is { } followed ? [.. stage.After, followed] : [.. stage.After];
            if (Array.Find(after, earlier => !before.ContainsKey(earlier.Kind)) is { } missing)
            {
                throw new ArgumentException($"The stage {stage} comes after {missing}, which is not given before it.", nameof(stages));
            }

            IEnumerable<string> earlier = [.. after.Select(one => one.Kind), .. after.SelectMany(one => before[one.Kind])];
            if (!before.TryAdd(stage.Kind, [.. earlier.Distinct(StringComparer.Ordinal)]))
            {
                throw new ArgumentException($"Two stages are named {stage}.", nameof(stages));
            }
        }

        _before = before.ToFrozenDictionary(StringComparer.Ordinal);
        _byKind = All.ToFrozenDictionary(stage => stage.Kind, StringComparer.Ordinal);
    }

    /// <summary>The stages in their order.</summary>
    public IReadOnlyList<JobStage> All { get; }

    /// <summary>The stage of a kind.</summary>
    /// <exception cref="KeyNotFoundException">There is no such stage.</exception>
    public JobStage For(string kind) =>
        _byKind.TryGetValue(kind, out var stage) ? stage : throw new KeyNotFoundException($"There is no stage '{kind}'.");

    /// <summary>Whether no stage comes after one: its jobs complete runs.</summary>
    public bool IsLast(string kind) => !_before.Values.Any(before => before.Contains(kind, StringComparer.Ordinal));

    /// <summary>The kinds of all stages that are done before one.</summary>
    public IReadOnlyList<string> Before(string kind) => _before[For(kind).Kind];
}
