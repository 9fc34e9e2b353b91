using System.Text.Json;
using System.Text.RegularExpressions;
using Distributed.TestServers;

namespace Distributed.Observability.Tests;

/// <summary>A panel of a dashboard.</summary>
/// <param name="Dashboard">The dashboard's file, without its ending.</param>
/// <param name="Title">What stands above it.</param>
/// <param name="Definition">The whole of it, as in the file.</param>
internal sealed partial record Panel(string Dashboard, string Title, JsonElement Definition)
{
    public IEnumerable<string> Queries =>
        Definition.GetProperty("targets").EnumerateArray().Select(target => target.GetProperty("expr").GetString()!);

    /// <summary>A query as Grafana sends it, with its variables filled in.</summary>
    public static string Expand(string query, TimeSpan range) =>
        Variable()
            .Replace(
                query,
                match =>
                    match.Value switch
                    {
                        // Four scrapes, as Grafana reckons.
                        "$__rate_interval" => "4s",
                        "$__range" => FormattableString.Invariant($"{range.TotalSeconds:F0}s"),
                        "$job" => ".+",
                        _ => throw new InvalidOperationException($"Nothing is known of the variable {match.Value} in {query}"),
                    }
            );

    public override string ToString() => $"{Dashboard}: {Title}";

    [GeneratedRegex(@"\$\w+", RegexOptions.None, 1000)]
    private static partial Regex Variable();
}

/// <summary>A dashboard as Grafana loads it.</summary>
internal sealed record Dashboard(string Name, JsonElement Definition)
{
    public static string Folder { get; } = Path.Combine(TestEnvironment.RepositoryRoot, "infra", "observability", "grafana", "dashboards");

    public static IReadOnlyList<Dashboard> All { get; } =
    [
        .. Directory
            .EnumerateFiles(Folder, "*.json")
            .Order(StringComparer.Ordinal)
            .Select(file => new Dashboard(Path.GetFileNameWithoutExtension(file), JsonDocument.Parse(File.ReadAllBytes(file)).RootElement)),
    ];

    public IReadOnlyList<Panel> Panels =>
        [
            .. Definition
                .GetProperty("panels")
                .EnumerateArray()
                .Select(panel => new Panel(Name, panel.GetProperty("title").GetString()!, panel)),
        ];

    public override string ToString() => Name;
}
