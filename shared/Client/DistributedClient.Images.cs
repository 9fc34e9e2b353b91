using System.Net;
using System.Net.Http.Json;

namespace Distributed.Client;

/// <content>Runs beside each other, and image by image.</content>
public sealed partial class DistributedClient
{
    /// <summary>A page of a run's test images, and what its head made of them.</summary>
    public Task<CountedPage<TestedImage>> GetTestedImagesAsync(
        Guid runId,
        TestedImageFilter filter,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(filter);
        var right = filter.Right is { } known ? (known ? "true" : "false") : null;
        return GetAsync<CountedPage<TestedImage>>(
            $"runs/{runId:D}/images"
                + Query(
                    ("actual", filter.Actual),
                    ("predicted", filter.Predicted),
                    ("right", right),
                    ("sort", filter.Sort),
                    ("after", filter.After),
                    ("limit", filter.Limit)
                ),
            cancellationToken
        );
    }

    /// <summary>A page of a run's labels, the least probable first.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="doubted">Only those of which another class is more probable.</param>
    /// <param name="after">The previous page's <see cref="CountedPage{T}.Next"/>.</param>
    /// <param name="limit">Most labels a page; 1 to 500.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<CountedPage<JudgedLabel>> GetLabelsAsync(
        Guid runId,
        bool doubted = false,
        int? after = null,
        int limit = 50,
        CancellationToken cancellationToken = default
    ) =>
        GetAsync<CountedPage<JudgedLabel>>(
            $"runs/{runId:D}/labels" + Query(("doubted", doubted ? "true" : null), ("after", after), ("limit", limit)),
            cancellationToken
        );

    /// <summary>The classes of a data set with their counts, and some images of each.</summary>
    public Task<DatasetClasses> GetClassesAsync(string sha256, int samples = 0, CancellationToken cancellationToken = default) =>
        GetAsync<DatasetClasses>($"datasets/{Escape(sha256)}/classes" + Query(("samples", samples)), cancellationToken);

    /// <summary>Images of a data set by their rows, in that order.</summary>
    /// <param name="sha256">The data set.</param>
    /// <param name="rows">1 to 500 rows.</param>
    /// <param name="runId">The run whose names and splits are wanted; null for those of a source.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<IReadOnlyList<DatasetImage>> GetImagesAsync(
        string sha256,
        IReadOnlyList<int> rows,
        Guid? runId = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        var query = rows.Select(row => ("row", (object?)row)).Append(("run", runId)).Append(("limit", rows.Count));
        return (await GetAsync<Page<DatasetImage, int?>>($"datasets/{Escape(sha256)}/images" + Query(query), cancellationToken)).Items;
    }

    /// <summary>A page of the images that occur more than once, bit for bit.</summary>
    /// <param name="sha256">The data set.</param>
    /// <param name="acrossSplits">Only those in more than one split.</param>
    /// <param name="differentClasses">Only those in more than one class.</param>
    /// <param name="runId">The run whose names and splits are wanted; null for those of a source.</param>
    /// <param name="after">The previous page's <see cref="CountedPage{T}.Next"/>.</param>
    /// <param name="limit">Most of a page; 1 to 500.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<CountedPage<DuplicatedImage>> GetDuplicatesAsync(
        string sha256,
        bool acrossSplits = false,
        bool differentClasses = false,
        Guid? runId = null,
        int? after = null,
        int limit = 50,
        CancellationToken cancellationToken = default
    ) =>
        GetAsync<CountedPage<DuplicatedImage>>(
            $"datasets/{Escape(sha256)}/duplicates"
                + Query(
                    ("acrossSplits", acrossSplits ? "true" : null),
                    ("differentClasses", differentClasses ? "true" : null),
                    ("run", runId),
                    ("after", after),
                    ("limit", limit)
                ),
            cancellationToken
        );

    /// <summary>A page of a run's test images that are versions of an image that its head learned from, the most alike first.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="after">The previous page's <see cref="NearDuplicatePage.Next"/>.</param>
    /// <param name="limit">Most of a page; 1 to 500.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<NearDuplicatePage> GetNearDuplicatesAsync(
        Guid runId,
        int? after = null,
        int limit = 50,
        CancellationToken cancellationToken = default
    ) => GetAsync<NearDuplicatePage>($"runs/{runId:D}/near-duplicates" + Query(("after", after), ("limit", limit)), cancellationToken);

    /// <summary>The images of a run in two dimensions.</summary>
    /// <returns>Null while the map is being made, which begins when it is first asked for.</returns>
    public async Task<RunMap?> GetMapAsync(Guid runId, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(HttpMethod.Get, $"runs/{runId:D}/map", content: null, cancellationToken);
        return response.StatusCode == HttpStatusCode.Accepted
            ? null
            : await response.Content.ReadFromJsonAsync<RunMap>(Json, cancellationToken);
    }

    /// <summary>Runs beside each other: the settings in which they differ, their figures, and of two a paired test.</summary>
    /// <param name="runs">2 to 100 runs.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<RunComparison> CompareRunsAsync(IEnumerable<Guid> runs, CancellationToken cancellationToken = default) =>
        GetAsync<RunComparison>("runs/compare" + Query(runs.Select(run => ("run", (object?)run))), cancellationToken);

    /// <summary>A page of the test images that one of two runs has right and the other wrong.</summary>
    public Task<CountedPage<Disagreement>> GetDisagreementsAsync(
        Guid first,
        Guid second,
        int? after = null,
        CancellationToken cancellationToken = default
    ) =>
        GetAsync<CountedPage<Disagreement>>($"runs/{first:D}/disagreements" + Query(("with", second), ("after", after)), cancellationToken);
}
