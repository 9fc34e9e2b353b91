using System.Text.Json;
using Distributed.Dashboard.Charts;

namespace Distributed.Browser.Tests.Dashboard;

public sealed class ParallelAxisTests
{
    [Fact]
    public void Numbers_stand_between_round_ticks_the_greatest_on_top()
    {
        var axis = ParallelAxis.Of("epochs", Values("10", "30", "20"));

        Assert.Equal([0, 1, 0.5], axis.Places);
        Assert.Equal(["10", "15", "20", "25", "30"], axis.Ticks.Select(tick => tick.Label));
    }

    [Fact]
    public void Numbers_of_different_sizes_stand_by_their_powers_of_ten()
    {
        var axis = ParallelAxis.Of("learningRate", Values("0.0001", "0.01", "0.001"));

        Assert.Equal([0, 1, 0.5], axis.Places);
        Assert.Equal(["0.0001", "0.001", "0.01"], axis.Ticks.Select(tick => tick.Label));
    }

    [Fact]
    public void Texts_have_a_place_each_in_order()
    {
        var axis = ParallelAxis.Of("base", Values("\"resnet18\"", "\"demo\"", "\"resnet18\"", "\"imagenet\""));

        Assert.Equal([1, 0, 1, 0.5], axis.Places);
        Assert.Equal([(0, "demo"), (0.5, "imagenet"), (1, "resnet18")], axis.Ticks);
    }

    [Fact]
    public void Who_has_no_value_stands_below()
    {
        Assert.Equal([0, ParallelAxis.Nowhere, 1], ParallelAxis.Of("depth", Values("1", "null", "2")).Places);

        var axis = ParallelAxis.Of("base", Values("\"demo\"", "null"));
        Assert.Equal([0.5, ParallelAxis.Nowhere], axis.Places);
        Assert.Equal([(0.5, "demo"), (ParallelAxis.Nowhere, "–")], axis.Ticks);
    }

    [Fact]
    public void Numbers_beside_texts_are_categories()
    {
        var axis = ParallelAxis.Of("fold", Values("1", "\"none\""));

        Assert.Equal(["1", "none"], axis.Ticks.Select(tick => tick.Label));
    }

    [Fact]
    public void Shares_are_written_as_percentages() =>
        Assert.Contains("90 %", ParallelAxis.Numeric("accuracy", [0.8, 0.9, 1], isShare: true).Ticks.Select(tick => tick.Label));

    private static JsonElement[] Values(params string[] values) => [.. values.Select(value => JsonElement.Parse(value))];
}
