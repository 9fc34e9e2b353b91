using System.Globalization;
using Distributed.Contracts;

namespace Distributed.Client;

/// <content>What pages show, one page of a list at a time.</content>
public sealed partial class DistributedClient
{
    /// <summary>Who the server takes the caller for.</summary>
    public Task<Identity> GetIdentityAsync(CancellationToken cancellationToken = default) => GetAsync<Identity>("me", cancellationToken);

    /// <summary>A page of runs, the latest first.</summary>
    /// <param name="filter">Which runs.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<Page<RunSummary, string?>> GetRunsAsync(RunListFilter filter, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return GetAsync<Page<RunSummary, string?>>(
            "runs"
                + Query([
                    ("state", filter.State is { } state ? CamelCase(state.ToString()) : null),
                    ("tag", filter.Tag),
                    ("name", filter.Name),
                    ("dataset", filter.Dataset),
                    .. filter.Where.Select(condition => ("where", (object?)condition)),
                    ("sort", filter.Sort),
                    ("after", filter.After),
                    ("limit", filter.Limit),
                ]),
            cancellationToken
        );
    }

    /// <summary>What was measured of a run so far.</summary>
    public Task<RunMetrics> GetMetricsAsync(Guid runId, CancellationToken cancellationToken = default) =>
        GetAsync<RunMetrics>($"runs/{runId:D}/metrics", cancellationToken);

    /// <summary>A page of models by name.</summary>
    /// <param name="runId">Only those that have this run among their versions.</param>
    /// <param name="after">The previous page's <see cref="Page{T, TNext}.Next"/>.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<Page<ModelSummary, string?>> GetModelsAsync(
        Guid? runId = null,
        string? after = null,
        CancellationToken cancellationToken = default
    ) => GetAsync<Page<ModelSummary, string?>>("models" + Query(("run", runId), ("after", after)), cancellationToken);

    /// <summary>A model with its versions and aliases.</summary>
    public Task<ModelDetail> GetModelAsync(string model, CancellationToken cancellationToken = default) =>
        GetAsync<ModelDetail>($"models/{Escape(model)}", cancellationToken);

    /// <summary>A version beside another one, on the same test images.</summary>
    public Task<VersionComparison> CompareVersionsAsync(
        string model,
        int number,
        int other,
        CancellationToken cancellationToken = default
    ) =>
        GetAsync<VersionComparison>(
            string.Create(CultureInfo.InvariantCulture, $"models/{Escape(model)}/versions/{number}/comparison?with={other}"),
            cancellationToken
        );

    /// <summary>Removes an alias; the versions stay.</summary>
    public async Task RemoveAliasAsync(string model, string alias, CancellationToken cancellationToken = default)
    {
        using var _ = await SendAsync(
            HttpMethod.Delete,
            $"models/{Escape(model)}/aliases/{Escape(alias)}",
            content: null,
            cancellationToken
        );
    }

    /// <summary>A page of the data sets that runs have used, the latest first.</summary>
    public Task<Page<DatasetSummary, string?>> GetDatasetsAsync(string? after = null, CancellationToken cancellationToken = default) =>
        GetAsync<Page<DatasetSummary, string?>>("datasets" + Query(("after", after)), cancellationToken);

    /// <summary>A data set.</summary>
    public Task<DatasetSummary> GetDatasetAsync(string sha256, CancellationToken cancellationToken = default) =>
        GetAsync<DatasetSummary>($"datasets/{Escape(sha256)}", cancellationToken);

    /// <summary>The bases that a run can name by one word.</summary>
    public Task<IReadOnlyList<BackboneSummary>> GetBackbonesAsync(CancellationToken cancellationToken = default) =>
        GetAsync<IReadOnlyList<BackboneSummary>>("backbones", cancellationToken);

    /// <summary>A page of the audit log, the latest first; for operators.</summary>
    /// <param name="subject">Only what was done to this.</param>
    /// <param name="actor">Only what this one did.</param>
    /// <param name="after">The previous page's <see cref="Page{T, TNext}.Next"/>.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<Page<AuditRecord, Guid?>> GetAuditAsync(
        string? subject = null,
        string? actor = null,
        Guid? after = null,
        CancellationToken cancellationToken = default
    ) => GetAsync<Page<AuditRecord, Guid?>>("audit" + Query(("subject", subject), ("actor", actor), ("after", after)), cancellationToken);

    /// <summary>Removes from the volume what the retention policy lets go.</summary>
    /// <param name="dryRun">Whether only to say what would be removed.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<CollectionReport> CollectAsync(bool dryRun, CancellationToken cancellationToken = default) =>
        SendAsync<CollectionReport>(
            HttpMethod.Post,
            "maintenance/collect" + Query(("dryRun", dryRun ? "true" : null)),
            content: null,
            cancellationToken
        );

    private Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) =>
        SendAsync<T>(HttpMethod.Get, path, content: null, cancellationToken);
}

/// <summary>Which runs to list.</summary>
public sealed record RunListFilter
{
    /// <summary>Only runs in this state.</summary>
    public RunState? State { get; init; }

    /// <summary>Only runs with this label.</summary>
    public string? Tag { get; init; }

    /// <summary>Only runs whose name contains this.</summary>
    public string? Name { get; init; }

    /// <summary>Only runs on this data set (SHA-256).</summary>
    public string? Dataset { get; init; }

    /// <summary>Conditions on any setting or metric, such as <c>accuracy&gt;=0.9</c>; all of them hold.</summary>
    public IReadOnlyList<string> Where { get; init; } = [];

    /// <summary>The field to sort by, with a minus before it for the greatest first; the latest first where null.</summary>
    public string? Sort { get; init; }

    /// <summary>The previous page's <see cref="Page{T, TNext}.Next"/>.</summary>
    public string? After { get; init; }

    /// <summary>Most runs a page; 1 to 500.</summary>
    public int Limit { get; init; } = 50;
}
