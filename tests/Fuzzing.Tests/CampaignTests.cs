namespace Distributed.Fuzzing.Tests;

/// <summary>The harness finds what it is there to find: targets that misbehave on purpose.</summary>
public sealed class CampaignTests
{
    [Theory]
    [InlineData("throws", "InvalidOperationException")]
    [InlineData("dies", "the process died with status 13")]
    [InlineData("hangs", "no answer within")]
    [InlineData("takes-memory", "bytes of memory")]
    public async Task A_fault_is_named_with_its_input(string parser, string expected)
    {
        var campaign = new Campaign(parser, seed: 1) { Hang = TimeSpan.FromSeconds(2) };

        var result = await campaign.RunAsync(
            inputs: 40,
            TimeSpan.FromMinutes(1),
            workers: 2,
            progress: null,
            TestContext.Current.CancellationToken
        );

        var (index, fault) = Assert.Single(result.Faults);
        Assert.Equal(17, index);
        Assert.Contains(expected, fault, StringComparison.Ordinal);
        // Those behind it are parsed all the same.
        Assert.Equal(40, result.Inputs);
    }

    [Fact]
    public void An_input_follows_from_seed_parser_and_index_alone()
    {
        using var one = FuzzTargets.Create("pickle");
        using var other = FuzzTargets.Create("pickle");

        Assert.Equal(one.Create(new FuzzRandom(5, "pickle", 77)), other.Create(new FuzzRandom(5, "pickle", 77)));
        Assert.NotEqual(one.Create(new FuzzRandom(5, "pickle", 77)), other.Create(new FuzzRandom(5, "pickle", 78)));
        Assert.NotEqual(one.Create(new FuzzRandom(5, "pickle", 77)), other.Create(new FuzzRandom(6, "pickle", 77)));
    }
}
