using System.Globalization;
using System.Text.RegularExpressions;
using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>The metrics of the hosts against the table of docs/operations.md, which dashboards and alerts are written from.</summary>
public sealed partial class MetricsTests(ITestOutputHelper output)
{
    private static readonly string[] HistogramParts = ["_bucket", "_sum", "_count"];

    [Fact]
    public async Task Every_metric_stands_in_the_table_with_its_kind_job_and_labels_and_every_one_in_the_table_is_there()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        var table = ReadTable();

        await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(SampleRun.Specification));
        var failed = await cluster.SubmitAsync(new { dataset = "/nowhere" });
        await cluster.WaitAsync(
            "the second run to fail",
            () => cluster.QueryAsync<string>($"select state from runs where id = '{failed}'"),
            state => state == "Failed"
        );
        // What is asked for every few seconds comes a little later than the runs' end.
        var expected = table.Where(row => row.Always).Select(row => row.Name).ToHashSet(StringComparer.Ordinal);
        var scraped = await cluster.WaitAsync(
            "every metric of the table",
            () => ScrapeAsync(cluster),
            found => expected.IsSubsetOf(found.Families.Select(family => family.Name))
        );

        output.WriteLine(
            string.Join('\n', scraped.Families.Select(family => $"{family.Name} {family.Kind} {string.Join(',', family.Labels)}"))
        );
        output.WriteLine(string.Join('\n', scraped.Bytes.Select(host => $"{host.Key}: {host.Value} bytes")));
        var known = table.ToDictionary(row => row.Name, StringComparer.Ordinal);
        Assert.All(
            scraped.Families,
            family =>
            {
                Assert.True(
                    known.TryGetValue(family.Name, out var row),
                    $"{family.Name} ({family.Kind}; {string.Join(", ", family.Labels)}) stands in no row of the table"
                );
                Assert.Equal(row.Kind, family.Kind);
                Assert.True(
                    family.Labels.IsSubsetOf(row.Labels),
                    $"{family.Name} has the labels {string.Join(", ", family.Labels)}; the table says {string.Join(", ", row.Labels)}"
                );
            }
        );
        // Those of tools that know nothing of what is measured: jobs that take a second would all lie in one of them.
        Assert.All(
            scraped.Families.Where(family => family.Name.StartsWith("distributed_", StringComparison.Ordinal)),
            family => Assert.DoesNotContain(10_000, family.Boundaries)
        );
        Assert.All(scraped.Bytes, host => Assert.InRange(host.Value, 1, 64 << 10));
    }

    [Fact]
    public async Task On_a_port_of_its_own_metrics_take_no_key_and_nothing_else_is_there()
    {
        var port = FreePort.Next();
        var api = FreePort.Next();
        await using var cluster = await Cluster.CreateAsync(new Dictionary<string, string?> { ["Api__Keys"] = "required" });
        cluster.Configure(
            "AdminApi",
            new Dictionary<string, string?>
            {
                ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{api};http://127.0.0.1:{port}",
                ["Metrics__Port"] = port.ToString(CultureInfo.InvariantCulture),
            }
        );
        var host = cluster.Start("AdminApi");
        using var client = new HttpClient();
        await host.WaitForHealthyAsync(new Uri($"http://127.0.0.1:{api}/health/live"), TimeSpan.FromMinutes(1));

        using var metrics = await client.GetAsync(new Uri($"http://127.0.0.1:{port}/metrics"));
        using var runs = await client.GetAsync(new Uri($"http://127.0.0.1:{port}/api/v1/runs"));
        using var withoutKey = await client.GetAsync(new Uri($"http://127.0.0.1:{api}/metrics"));

        Assert.Contains("dotnet_process_cpu_time_seconds_total", await metrics.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(global::System.Net.HttpStatusCode.NotFound, runs.StatusCode);
        Assert.Equal(global::System.Net.HttpStatusCode.Unauthorized, withoutKey.StatusCode);
    }

    private static async Task<Scrape> ScrapeAsync(Cluster cluster)
    {
        var families = new Dictionary<string, Family>(StringComparer.Ordinal);
        var bytes = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var service in Cluster.Services)
        {
            var text = await cluster.GetTextAsync(service, "/metrics");
            bytes[service] = text.Length;
            Family? current = null;
            foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (line.Split(' ') is ["#", "TYPE", var name, var kind])
                {
                    current = families.TryGetValue(name, out var known) ? known : families[name] = new Family(name, kind);
                }
                else if (line[0] != '#')
                {
                    Read(line, current!);
                }
            }
        }

        families.Remove("target_info");
        return new Scrape([.. families.Values], bytes);
    }

    private static void Read(string line, Family family)
    {
        var sample = Sample().Match(line);
        var name = sample.Groups["name"].Value;
        Assert.True(
            name == family.Name || HistogramParts.Any(part => name == family.Name + part),
            $"'{line}' stands among the samples of {family.Name}"
        );
        foreach (Match label in Label().Matches(sample.Groups["labels"].Value))
        {
            if (label.Groups["name"].Value == "le")
            {
                family.Boundaries.Add(
                    label.Groups["value"].Value == "+Inf"
                        ? double.PositiveInfinity
                        : double.Parse(label.Groups["value"].Value, CultureInfo.InvariantCulture)
                );
            }
            else if (!label.Groups["name"].Value.StartsWith("otel_scope", StringComparison.Ordinal))
            {
                family.Labels.Add(label.Groups["name"].Value);
            }
        }
    }

    /// <summary>The rows under "### Metrics": | `name` | kind, unit | `label`, `label` | where | what it tells |.</summary>
    private static List<Row> ReadTable()
    {
        var section = File.ReadAllText(Path.Combine(TestEnvironment.RepositoryRoot, "docs", "operations.md"))
            .Split("\n### Metrics\n")[1]
            .Split("\n## ")[0]
            .Split("\n### ")[0];
        var rows = new List<Row>();
        foreach (
            var cells in section
                .Split('\n')
                .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
                .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
        )
        {
            var kind = cells[2].Split(", ");
            var job = kind[1] switch
            {
                "s" => "_seconds",
                "bytes" => "_bytes",
                _ => "",
            };
            rows.Add(
                new Row(
                    cells[1].Trim('`').Replace('.', '_') + job + (kind[0] == "counter" ? "_total" : ""),
                    kind[0],
                    [.. Code().Matches(cells[3]).Select(label => label.Groups["code"].Value.Replace('.', '_'))],
                    !cells[4].Contains("where", StringComparison.Ordinal)
                )
            );
        }

        return rows;
    }

    [GeneratedRegex(@"^(?<name>\w+)(\{(?<labels>.*)\})? ", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Sample();

    [GeneratedRegex("(?<name>\\w+)=\"(?<value>([^\"\\\\]|\\\\.)*)\"", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Label();

    [GeneratedRegex("`(?<code>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Code();

    private sealed record Row(string Name, string Kind, HashSet<string> Labels, bool Always);

    private sealed record Family(string Name, string Kind)
    {
        public HashSet<string> Labels { get; } = new(StringComparer.Ordinal);

        public HashSet<double> Boundaries { get; } = [];
    }

    private sealed record Scrape(IReadOnlyList<Family> Families, IReadOnlyDictionary<string, int> Bytes);
}
