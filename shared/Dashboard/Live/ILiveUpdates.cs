namespace Distributed.Dashboard.Live;

/// <summary>Tells a page when what it shows may have changed.</summary>
internal interface ILiveUpdates
{
    /// <summary>An entry each time that something may have changed, never more often than a page can follow.</summary>
    /// <param name="runId">The run that is looked at; null for all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    IAsyncEnumerable<bool> ReadAsync(Guid? runId, CancellationToken cancellationToken);
}
