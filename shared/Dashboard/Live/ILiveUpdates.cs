using Distributed.Client;

namespace Distributed.Dashboard.Live;

/// <summary>Tells a page when what it shows may have changed.</summary>
internal interface ILiveUpdates
{
    /// <summary>The latest events each time that something may have changed, never more often than a page can follow; none where only time has passed.</summary>
    /// <param name="runId">The run that is looked at; null for all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    IAsyncEnumerable<IReadOnlyList<LiveEvent>> ReadAsync(Guid? runId, CancellationToken cancellationToken);
}
