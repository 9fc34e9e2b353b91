namespace Distributed.Fuzzing.Tests;

/// <summary>A few seconds of what <c>./test.sh fuzz</c> does at length.</summary>
public sealed class ParserTests
{
    private const int Inputs = 10_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    public static TheoryData<string> Parsers => [.. Campaign.Parsers];

    [Theory]
    [MemberData(nameof(Parsers))]
    public async Task A_parser_keeps_its_promises_whatever_it_is_given(string parser)
    {
        var seed = (ulong)Random.Shared.NextInt64(1_000_000_000);

        var result = await new Campaign(parser, seed).RunAsync(
            Inputs,
            Limit,
            Environment.ProcessorCount,
            progress: null,
            TestContext.Current.CancellationToken
        );

        Assert.True(
            result.Faults.Count == 0,
            string.Join(
                Environment.NewLine,
                result.Faults.Select(fault => $"./test.sh fuzz {parser} --seed {seed} --input {fault.Index}: {fault.Fault}")
            )
        );
        Assert.True(result.Inputs > 100, $"{result.Inputs} inputs were parsed");
        Assert.True(result.Accepted > 0, "no input was accepted, so nothing behind the first check was tried");
        Assert.True(result.Accepted < result.Inputs || parser == "fitting", "no input was refused");
    }
}
