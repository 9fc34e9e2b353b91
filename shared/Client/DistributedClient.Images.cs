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
