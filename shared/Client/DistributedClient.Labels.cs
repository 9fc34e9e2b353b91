using System.Globalization;

namespace Distributed.Client;

/// <content>What people change together: how runs are called, and views of their list. Who was second is told so (412).</content>
public sealed partial class DistributedClient
{
    /// <summary>Changes a run's name, tags and note.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="labels">What it is called from now on.</param>
    /// <param name="revision">The <see cref="RunDetail.Revision"/> that is changed; another one is refused.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<RunDetail> ChangeRunAsync(Guid runId, RunLabels labels, int revision, CancellationToken cancellationToken = default) =>
        SendAsync<RunDetail>(HttpMethod.Patch, $"runs/{runId:D}", Body(labels), cancellationToken, ("If-Match", Tag(revision)));

    /// <summary>A page of saved views by name.</summary>
    /// <param name="after">The previous page's <see cref="Page{T, TNext}.Next"/>.</param>
    /// <param name="limit">Most views a page; 1 to 500.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<Page<SavedView, string?>> GetViewsAsync(
        string? after = null,
        int limit = 50,
        CancellationToken cancellationToken = default
    ) => GetAsync<Page<SavedView, string?>>("views" + Query(("after", after), ("limit", limit)), cancellationToken);

    /// <summary>Saves a view of the list of runs.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="query">Filters and order, as they stand in the address of the list, such as <c>?state=failed&amp;sort=-submitted</c>.</param>
    /// <param name="columns">The fields to show; none for the usual ones.</param>
    /// <param name="revision">The <see cref="SavedView.Revision"/> that is replaced; null to save a new view.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<SavedView> SaveViewAsync(
        string name,
        string query,
        IReadOnlyList<string>? columns = null,
        int? revision = null,
        CancellationToken cancellationToken = default
    ) =>
        SendAsync<SavedView>(
            HttpMethod.Put,
            $"views/{Escape(name)}",
            Body(new { query, columns }),
            cancellationToken,
            revision is { } known ? ("If-Match", Tag(known)) : ("If-None-Match", "*")
        );

    /// <summary>Deletes a saved view.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="revision">The <see cref="SavedView.Revision"/> that is deleted; another one is refused.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task DeleteViewAsync(string name, int revision, CancellationToken cancellationToken = default)
    {
        using var _ = await SendAsync(
            HttpMethod.Delete,
            $"views/{Escape(name)}",
            content: null,
            cancellationToken,
            ("If-Match", Tag(revision))
        );
    }

    private static string Tag(int revision) => string.Create(CultureInfo.InvariantCulture, $"\"{revision}\"");
}
