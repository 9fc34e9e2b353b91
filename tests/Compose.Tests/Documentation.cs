using System.Text.RegularExpressions;
using Distributed.TestServers;

namespace Distributed.Compose.Tests;

/// <summary>What people are told to type.</summary>
internal static partial class Documentation
{
    /// <summary>The shell commands below a heading, one string a block.</summary>
    /// <param name="file">Below the repository's root.</param>
    /// <param name="heading">Without its number signs.</param>
    public static IReadOnlyList<string> Commands(string file, string heading) => Blocks(file, heading, "bash");

    /// <summary>The blocks of a language below a heading.</summary>
    public static IReadOnlyList<string> Blocks(string file, string heading, string language)
    {
        var text = File.ReadAllText(Path.Combine(TestEnvironment.RepositoryRoot, file));
        var section = Headings().Split(text).Skip(1).Single(part => part.StartsWith(heading + "\n", StringComparison.Ordinal));
        var blocks = Block()
            .Matches(section)
            .Where(match => match.Groups["language"].Value == language)
            .Select(match => match.Groups["text"].Value)
            .ToList();
        Assert.NotEmpty(blocks);
        return blocks;
    }

    /// <summary>The one line of commands that contains a text.</summary>
    public static string Line(string commands, string contains) =>
        Assert.Single(commands.Split('\n'), line => line.Contains(contains, StringComparison.Ordinal));

    [GeneratedRegex("^##+ ", RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Headings();

    [GeneratedRegex(
        "^```(?<language>[a-z]+)\n(?<text>.*?)^```$",
        RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex Block();
}
