using System.Text.Json;

namespace Distributed.Observability.Tests;

public sealed class DashboardTests
{
    [Fact]
    public void There_are_four_each_with_a_name_of_its_own()
    {
        Assert.Equal(["glance", "runs", "servers", "workers"], Dashboard.All.Select(dashboard => dashboard.Name));
        Assert.Equal(
            4,
            Dashboard.All.Select(dashboard => dashboard.Definition.GetProperty("uid").GetString()).Distinct(StringComparer.Ordinal).Count()
        );
    }

    [Fact]
    public void Every_panel_says_what_it_tells_in_which_unit_and_names_its_lines() =>
        Assert.All(
            Dashboard.All.SelectMany(dashboard => dashboard.Panels),
            panel =>
            {
                var description = panel.Definition.GetProperty("description").GetString()!;
                Assert.True(
                    description.Length > 20 && description.EndsWith('.') && !description.Contains(". ", StringComparison.Ordinal),
                    $"{panel} is not described in one sentence."
                );
                Assert.NotEmpty(panel.Definition.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("unit").GetString()!);
                Assert.Equal("prometheus", panel.Definition.GetProperty("datasource").GetProperty("uid").GetString());
                Assert.NotEmpty(panel.Queries);
                Assert.All(
                    panel.Definition.GetProperty("targets").EnumerateArray(),
                    target => Assert.NotEmpty(target.GetProperty("legendFormat").GetString()!)
                );
            }
        );

    [Fact]
    public void Panels_stand_beside_and_below_each_other_and_have_names_of_their_own() =>
        Assert.All(
            Dashboard.All,
            dashboard =>
            {
                Assert.Equal(
                    dashboard.Panels.Count,
                    dashboard.Panels.Select(panel => panel.Title).Distinct(StringComparer.Ordinal).Count()
                );
                Assert.Equal(
                    dashboard.Panels.Count,
                    dashboard.Panels.Select(panel => panel.Definition.GetProperty("id").GetInt32()).Distinct().Count()
                );
                var taken = new HashSet<(int, int)>();
                foreach (var panel in dashboard.Panels)
                {
                    var (x, y, width, height) = (At(panel, "x"), At(panel, "y"), At(panel, "w"), At(panel, "h"));
                    Assert.InRange(x + width, 1, 24);
                    Assert.All(
                        Enumerable.Range(x, width).SelectMany(column => Enumerable.Range(y, height).Select(row => (column, row))),
                        cell => Assert.True(taken.Add(cell), $"{panel} covers another.")
                    );
                }

                static int At(Panel panel, string name) => panel.Definition.GetProperty("gridPos").GetProperty(name).GetInt32();
            }
        );
}
