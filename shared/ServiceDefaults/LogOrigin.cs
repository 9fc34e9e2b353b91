using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Distributed.ServiceDefaults;

/// <summary>What an entry of the log belongs to.</summary>
/// <param name="Run">The run, where there is one.</param>
/// <param name="Trace">The trace, where there is one: that of the run, or of a request.</param>
internal readonly record struct LogOrigin(string? Run, string? Trace)
{
    private const string RunKey = "RunId";
    private const string TraceKey = "TraceId";

    /// <summary>As the entry itself says, else the innermost scope that does, else the activity of the moment.</summary>
    public static LogOrigin Of(object? state, IExternalScopeProvider? scopes)
    {
        var found = new Finding();
        scopes?.ForEachScope(static (scope, finding) => finding.Look(scope), found);
        found.Look(state);
        return new LogOrigin(found.Run, found.Trace ?? Activity.Current?.TraceId.ToHexString());
    }

    /// <summary>Whether a value of an entry is its origin, which stands in a place of its own.</summary>
    public static bool IsOrigin(string key) =>
        key.Equals(RunKey, StringComparison.OrdinalIgnoreCase) || key.Equals(TraceKey, StringComparison.OrdinalIgnoreCase);

    private sealed class Finding
    {
        public string? Run { get; private set; }

        public string? Trace { get; private set; }

        public void Look(object? values)
        {
            if (values is not IEnumerable<KeyValuePair<string, object?>> pairs)
            {
                return;
            }

            foreach (var (key, value) in pairs)
            {
                if (value is null || !IsOrigin(key))
                {
                    continue;
                }

                var text = Convert.ToString(value, CultureInfo.InvariantCulture);
                (Run, Trace) = key.Equals(RunKey, StringComparison.OrdinalIgnoreCase) ? (text, Trace) : (Run, text);
            }
        }
    }
}
