using System.Globalization;
using System.Text.RegularExpressions;
using Distributed.Client;
using Distributed.Contracts;

namespace Distributed.Dashboard;

/// <summary>Figures and states as people read them.</summary>
internal static partial class Words
{
    private static readonly string[] Units = ["B", "KB", "MB", "GB", "TB"];

    /// <summary>A share of 1 as a percentage with one decimal; a dash where there is none.</summary>
    public static string Percent(double? share) =>
        share is { } value ? (100 * value).ToString("0.0", CultureInfo.InvariantCulture) + " %" : "–";

    /// <summary>A number with thousands separated.</summary>
    public static string Count(long? number) => number is { } value ? value.ToString("N0", CultureInfo.InvariantCulture) : "–";

    /// <summary>Three significant digits.</summary>
    public static string Number(double? number) => number is { } value ? value.ToString("G3", CultureInfo.InvariantCulture) : "–";

    /// <summary>A length of time, in the two largest units.</summary>
    public static string Duration(double? seconds) =>
        seconds switch
        {
            null => "–",
            < 0.95 => $"{Math.Max(0, seconds.Value * 1000).ToString("0", CultureInfo.InvariantCulture)} ms",
            < 60 => $"{seconds.Value.ToString("0.0", CultureInfo.InvariantCulture)} s",
            < 3600 => $"{(int)seconds / 60} min {(int)seconds % 60} s",
            < 86_400 => $"{(int)seconds / 3600} h {(int)seconds % 3600 / 60} min",
            _ => $"{(int)seconds / 86_400} d {(int)seconds % 86_400 / 3600} h",
        };

    /// <summary>Bytes in the unit that leaves one to three digits.</summary>
    public static string Bytes(long bytes)
    {
        double value = bytes;
        var unit = 0;
        for (; value >= 1000 && unit < Units.Length - 1; unit++)
        {
            value /= 1000;
        }

        return value.ToString(unit == 0 ? "0" : "0.#", CultureInfo.InvariantCulture) + " " + Units[unit];
    }

    /// <summary>A time of day (UTC), with the date.</summary>
    public static string Time(DateTime time) => time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>How long ago something was, roughly.</summary>
    public static string Ago(DateTime time, DateTime now) =>
        (now - time).TotalSeconds switch
        {
            < 10 => "just now",
            < 120 => "a minute ago",
            < 3600 and var seconds => $"{(int)(seconds / 60)} minutes ago",
            < 7200 => "an hour ago",
            < 86_400 and var seconds => $"{(int)(seconds / 3600)} hours ago",
            < 2 * 86_400 => "a day ago",
            var seconds => $"{(int)(seconds / 86_400)} days ago",
        };

    /// <summary>Seconds from its submission to its end, or to now.</summary>
    public static double SecondsOf(RunSummary run, DateTime now) => ((run.FinishedAt ?? now) - run.SubmittedAt).TotalSeconds;

    /// <summary>What a run is called: its name, or the beginning of its id.</summary>
    public static string NameOf(RunSummary run) => string.IsNullOrEmpty(run.Name) ? run.RunId.ToString("D")[..8] : run.Name;

    /// <summary>A name for programs in words: <c>runSubmitted</c> is "run submitted".</summary>
    public static string Spell(string name) => Capital().Replace(name, match => " " + match.Value.ToLowerInvariant()).TrimStart();

    /// <summary>A state, for styles and addresses.</summary>
    public static string NameOf(RunState state) => state.ToString().ToLowerInvariant();

    [GeneratedRegex("(?<!^)[A-Z]", RegexOptions.None, 1000)]
    private static partial Regex Capital();
}
