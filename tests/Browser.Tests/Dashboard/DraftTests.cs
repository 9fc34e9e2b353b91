using System.Text.Json;
using Distributed.Contracts;
using Distributed.Dashboard.Charts;
using Distributed.Dashboard.Forms;

namespace Distributed.Browser.Tests.Dashboard;

public sealed class DraftTests
{
    [Fact]
    public void An_empty_draft_is_the_sample_run() => Assert.Equal("{}", new RunDraft().ToJson().ToJsonString());

    [Fact]
    public void A_draft_asks_for_what_was_typed_and_nothing_else()
    {
        var draft = new RunDraft
        {
            ["backbone"] = "resnet50",
            ["head.kind"] = "mlp",
            ["head.hiddenSizes"] = "256,128",
            ["tags"] = "a, b",
        };

        Assert.Equal(
            """{"backbone":"resnet50","head":{"kind":"mlp","hiddenSizes":[256,128]},"tags":["a","b"]}""",
            draft.ToJson().ToJsonString()
        );
        Assert.Contains("Kind = HeadKind.Mlp,", CSharpRequest.Write(draft, "http://127.0.0.1:8080"), StringComparison.Ordinal);
        using var message = JsonDocument.Parse(draft.ToMessage(Guid.Empty));
        Assert.NotNull(RunSpecificationReader.Read(message.RootElement.GetProperty("specification"), out _));
    }

    [Fact]
    public void What_is_wrong_stands_at_its_field()
    {
        var draft = new RunDraft
        {
            ["inputSize"] = "many",
            ["head.kind"] = "mlp",
            ["training.optimizer"] = "newton",
        };

        Assert.Null(draft.Specification);
        Assert.Equal("is 'many'; it must be a whole number from 32 to 1024", draft.ErrorOf("inputSize"));
        Assert.StartsWith("is newton, which trains linear heads only", draft.ErrorOf("training.optimizer"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_is_repeated_by_what_differs_from_the_defaults()
    {
        var draft = RunDraft.Of(
            new RunSpecification
            {
                Backbone = "imagenet",
                Seed = 3,
                Tags = ["a", "b"],
            }
        );

        Assert.Equal(("imagenet", "3", "a,b", ""), (draft["backbone"], draft["seed"], draft["tags"], draft["inputSize"]));
        Assert.Equal(224, draft.Specification!.InputSize);
    }

    [Theory]
    [InlineData(0.1234, 0.91, 0.0)]
    [InlineData(3, 3, 2.4)]
    public void An_axis_holds_all_values_between_round_ticks(double low, double high, double first)
    {
        var axis = ChartAxis.Linear([low, high], 5);

        Assert.Equal(first, axis.Ticks[0], 12);
        Assert.InRange(axis.Place(low), 0, 1);
        Assert.InRange(axis.Place(high), axis.Place(low), 1);
    }
}
