using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class TraceTests
{
    private static readonly string[] Hosts = ["admin-api", "evaluation", "ingestion", "training"];

    [Fact]
    public async Task One_run_is_one_trace_over_HTTP_messages_database_and_files_with_links_across_parts_shards_and_slices()
    {
        await using var collector = await TraceCollector.StartAsync();
        await using var cluster = await Cluster.StartAsync(new Dictionary<string, string?>([.. SampleRun.Settings, .. collector.Settings]));
        var run = await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(SampleRun.Specification));
        var trace = run.GetProperty("traceId").GetString()!;

        var spans = await cluster.WaitAsync(
            $"the whole of trace {trace}",
            () => Task.FromResult(collector.SpansOf(trace)),
            found => Hosts.All(host => found.Any(span => span.Service == host)) && Orphans(found).Count == 0
        );

        var root = Assert.Single(spans, span => span.Parent.Length == 0);
        Assert.Equal(("admin-api", "POST /api/v1/runs/"), (root.Service, root.Name));
        var jobs = spans
            .Where(span => span.Name.StartsWith("job ", StringComparison.Ordinal))
            .ToLookup(span => span.Name["job ".Length..], StringComparer.Ordinal);
        Assert.Equal(
            ["complete_dataset", "evaluate_head", "extract_features", "ingest_dataset", "pack_images", "plan_features", "train_head"],
            jobs.Select(kind => kind.Key).Order(StringComparer.Ordinal)
        );
        Assert.Contains(spans, span => span.Scope == "MassTransit" && span.Service == "training");
        Assert.Contains(spans, span => span.Scope == "Npgsql" && span.Service == "training");
        Assert.Contains(spans, span => span is { Scope: "Distributed.Storage", Name: "file write", Service: "training" });

        Assert.Equal(Ids(jobs["pack_images"]), Assert.Single(jobs["complete_dataset"]).Links.Order(StringComparer.Ordinal));
        var slices = jobs["train_head"].ToList();
        Assert.True(slices.Count > 1, "Training took one slice only.");
        var first = Assert.Single(slices, slice => slice.Links.Count > 1);
        Assert.Equal(Ids(jobs["extract_features"]), first.Links.Order(StringComparer.Ordinal));
        // Every other one links to the one before it, and the evaluation to the last.
        var linked = slices
            .Where(slice => slice != first)
            .Append(Assert.Single(jobs["evaluate_head"]))
            .Select(slice => Assert.Single(slice.Links));
        Assert.Equal(Ids(slices), linked.Order(StringComparer.Ordinal));
    }

    /// <summary>Spans whose parents have not come.</summary>
    private static List<CollectedSpan> Orphans(IReadOnlyList<CollectedSpan> spans)
    {
        var known = spans.Select(span => span.Id).ToHashSet(StringComparer.Ordinal);
        return [.. spans.Where(span => span.Parent.Length > 0 && !known.Contains(span.Parent))];
    }

    private static IEnumerable<string> Ids(IEnumerable<CollectedSpan> spans) => spans.Select(span => span.Id).Order(StringComparer.Ordinal);
}
