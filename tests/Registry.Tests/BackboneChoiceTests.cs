using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Networks;

namespace Distributed.Registry.Tests;

public sealed class BackboneChoiceTests
{
    [Fact]
    public void The_fastest_base_is_chosen_of_those_that_chance_may_explain_the_difference_of()
    {
        var ranked = BackboneChoice.Rank([
            Compared("fast-and-poor", right: 60, imagesPerSecond: 900),
            Compared("best", right: 91, imagesPerSecond: 50),
            Compared("as-good", right: 90, imagesPerSecond: 300),
            LeftOut("too-slow"),
        ]);

        Assert.Equal(["best", "as-good", "fast-and-poor", "too-slow"], ranked.Select(one => one.Base.Backbone));
        Assert.Equal("as-good", Assert.Single(ranked, one => one.IsChosen).Base.Backbone);
        Assert.Equal((1.0, null), (ranked[0].PValue, ranked[3].PValue));
        Assert.InRange(ranked[2].PValue!.Value, 0, 1e-6);
    }

    [Fact]
    public void Nothing_is_chosen_where_all_were_left_out() =>
        Assert.DoesNotContain(BackboneChoice.Rank([LeftOut("one"), LeftOut("two")]), one => one.IsChosen);

    [Fact]
    public void Candidates_are_those_at_hand_with_the_least_work_first()
    {
        var candidates = BackboneSettings.FindCandidates(
            new RunSpecification { Backbone = RunSpecification.Best },
            BackboneList.Load(path: null),
            known => known.Name == "dinov2-small"
        );

        Assert.Equal(
            [new CandidateBase("demo", 96), new CandidateBase("mlnet-resnet18", 224), new CandidateBase("dinov2-small", 224)],
            candidates!
        );
    }

    [Theory]
    [InlineData(Preset.Fast, "imagenet", 128)]
    [InlineData(Preset.Balanced, "imagenet", 224)]
    [InlineData(Preset.Accurate, "imagenet", 288)]
    [InlineData(Preset.Fast, "demo", 64)]
    [InlineData(Preset.Accurate, "demo", 128)]
    [InlineData(Preset.Accurate, "siglip2-base", 256)]
    public void A_preset_scales_the_size_of_the_base(Preset preset, string backbone, int size)
    {
        var applied = BackboneSettings.Apply(new RunSpecification { Backbone = backbone, Preset = preset }, BackboneList.Load(path: null));

        Assert.Equal((size, preset == Preset.Accurate), (applied.InputSize, applied.Flip));
    }

    [Fact]
    public void A_size_that_was_given_stays_as_it_is_whatever_the_preset() =>
        Assert.Equal(
            160,
            BackboneSettings
                .Apply(new RunSpecification { InputSize = 160, Preset = Preset.Accurate }, BackboneList.Load(path: null))
                .InputSize
        );

    private static ComparedBase Compared(string name, int right, double imagesPerSecond) =>
        new()
        {
            RunId = Guid.Empty,
            Position = 0,
            Backbone = name,
            InputSize = 96,
            ImagesPerSecond = imagesPerSecond,
            CorrectBits = BackboneChoice.Pack([.. Enumerable.Range(0, 100).Select(image => image < right)]),
            Accuracy = right / 100.0,
            Seconds = 1,
        };

    private static ComparedBase LeftOut(string name) =>
        new()
        {
            RunId = Guid.Empty,
            Position = 0,
            Backbone = name,
            InputSize = 96,
            Reason = "too slow",
            Seconds = 1,
        };
}
