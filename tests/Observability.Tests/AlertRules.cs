using System.Globalization;
using System.Text.RegularExpressions;
using Distributed.TestServers;

namespace Distributed.Observability.Tests;

/// <summary>The file of alerts, as lines: its shape is ours.</summary>
internal static partial class AlertRules
{
    /// <summary>The scrape interval of prometheus.yml: so much faster time goes in tests, which scrape every second.</summary>
    public const int Haste = 15;

    public static string Folder { get; } = Path.Combine(TestEnvironment.RepositoryRoot, "infra", "observability", "prometheus");

    private static string Text { get; } = File.ReadAllText(Path.Combine(Folder, "alerts.yml"));

    public static IReadOnlyList<string> Names { get; } = [.. Name().Matches(Text).Select(match => match.Groups["name"].Value)];

    public static IReadOnlyList<string> Runbooks { get; } = [.. Runbook().Matches(Text).Select(match => match.Groups["place"].Value)];

    /// <summary>The same rules, with all their times divided by <see cref="Haste"/>.</summary>
    public static string Hasty =>
        Duration()
            .Replace(
                Text,
                match =>
                {
                    var seconds =
                        int.Parse(match.Groups["count"].ValueSpan, CultureInfo.InvariantCulture)
                        * match.Groups["unit"].Value switch
                        {
                            "s" => 1,
                            "m" => 60,
                            _ => 3600,
                        };
                    return FormattableString.Invariant($"{seconds * 1000 / Haste}ms");
                }
            );

    [GeneratedRegex(@"^ +- alert: (?<name>\w+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Name();

    [GeneratedRegex(@"^ +runbook: (?<place>\S+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Runbook();

    [GeneratedRegex(@"(?<=for: |\[|offset )(?<count>[0-9]+)(?<unit>[smh])\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Duration();
}
