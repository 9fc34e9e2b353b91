using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Observability.Tests;

/// <summary>What a real Prometheus knows after runs and faults.</summary>
public sealed class ObservedSystemTests(ObservedSystem system) : IClassFixture<ObservedSystem>
{
    private const string NoPrometheus = "Prometheus is not installed.";

    /// <summary>Panels that rightly show nothing here, and why.</summary>
    private static readonly Dictionary<string, string> Empty = new(StringComparer.Ordinal)
    {
        ["workers: Load of GPUs"] = "no GPU",
        ["workers: Memory of GPUs"] = "no GPU",
        ["workers: Downloads"] = "nothing is downloaded",
    };

    [Fact]
    public void The_alerts_of_the_faults_fired_and_resolved()
    {
        Assert.SkipWhen(system.Prometheus is null, NoPrometheus);

        Assert.Equal(["HostDown", "NoWorkerConnected", "OutageGoingOn"], system.FiredAndResolved);
    }

    [Fact]
    public async Task Every_rule_is_read_as_it_is_meant_and_comes_to_a_result()
    {
        Assert.SkipWhen(system.Prometheus is null, NoPrometheus);
        var rules = (await system.Prometheus.RulesAsync())
            .GetProperty("groups")
            .EnumerateArray()
            .SelectMany(group => group.GetProperty("rules").EnumerateArray())
            .ToList();

        Assert.Equal(
            AlertRules.Names.Order(StringComparer.Ordinal),
            rules
                .Where(rule => rule.GetProperty("type").GetString() == "alerting")
                .Select(rule => rule.GetProperty("name").GetString()!)
                .Order(StringComparer.Ordinal)
        );
        Assert.All(rules, rule => Assert.True(rule.GetProperty("health").GetString() == "ok", rule.ToString()));
    }

    [Fact]
    public async Task Every_panel_has_what_it_draws()
    {
        Assert.SkipWhen(system.Prometheus is null, NoPrometheus);
        var panels = Dashboard.All.SelectMany(dashboard => dashboard.Panels).ToList();
        Assert.All(Empty.Keys, name => Assert.Contains(name, panels.Select(panel => panel.ToString())));

        var wrong = new List<string>();
        foreach (var panel in panels)
        {
            foreach (var query in panel.Queries)
            {
                var found = await system.Prometheus.QueryRangeAsync(Panel.Expand(query, system.Length));
                if (HasValue(found) == Empty.ContainsKey(panel.ToString()))
                {
                    wrong.Add($"{panel}: {(HasValue(found) ? "something, which was to be empty" : "nothing")}: {query}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static bool HasValue(JsonElement series) =>
        series.EnumerateArray().Any(one => one.GetProperty("values").EnumerateArray().Any(sample => sample[1].GetString() != "NaN"));
}
