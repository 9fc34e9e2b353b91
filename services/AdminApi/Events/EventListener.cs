using Distributed.Catalog;

namespace Distributed.AdminApi.Events;

/// <summary>What a listener is to be sent.</summary>
/// <param name="Events">Events in their order.</param>
/// <param name="Position">The place that it has come to with them.</param>
/// <param name="IsReset">Whether events before them may be missing.</param>
internal sealed record EventBatch(IReadOnlyList<LiveEvent> Events, ChangePosition? Position, bool IsReset);

/// <summary>One listener: its place in the log, and nothing that grows while it is slow.</summary>
internal sealed class EventListener(EventFeed feed, ChangePosition? after) : IDisposable
{
    /// <summary>The event after which it goes on; null where it hears what comes from now on.</summary>
    public ChangePosition? After { get; } = after;

    /// <summary>The number of the next event; null before its place is known.</summary>
    public long? Next { get; set; }

    /// <summary>The last event before that.</summary>
    public ChangePosition? Position { get; set; }

    /// <summary>Whether it is to be told that it missed something.</summary>
    public bool IsReset { get; set; }

    /// <summary>Waits until its place is known.</summary>
    /// <returns>What it begins with: no events, the place, and whether that is not where it wanted to go on.</returns>
    public Task<EventBatch> StartAsync(CancellationToken cancellationToken) => feed.StartAsync(this, cancellationToken);

    /// <summary>Waits for events.</summary>
    /// <param name="patience">How long.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The events; none when there were none for so long.</returns>
    public Task<EventBatch> ReadAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        feed.ReadAsync(this, patience, cancellationToken);

    public void Dispose() => feed.Leave(this);
}
