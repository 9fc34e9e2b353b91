using Distributed.Client;
using Distributed.Contracts;
using Microsoft.AspNetCore.WebUtilities;

namespace Distributed.Dashboard.Forms;

/// <summary>The query in the address of the list of runs: it says all that is shown, so that it can be sent to somebody, or saved as a view.</summary>
internal static class RunListAddress
{
    /// <summary>Reads what is to be shown; what means nothing is left out.</summary>
    public static RunListFilter Read(string query)
    {
        var given = QueryHelpers.ParseQuery(query);
        return new RunListFilter
        {
            State = Enum.TryParse<RunState>(One("state"), ignoreCase: true, out var state) ? state : null,
            Name = One("name"),
            Tag = One("tag"),
            Dataset = One("dataset"),
            Where = [.. All("where")],
            Sort = One("sort"),
            After = One("after"),
        };

        IEnumerable<string> All(string name) =>
            given.GetValueOrDefault(name).OfType<string>().Where(text => !string.IsNullOrWhiteSpace(text));

        string? One(string name) => All(name).FirstOrDefault();
    }

    /// <summary>The query that stands for it, with its question mark; empty where everything is shown.</summary>
    public static string Write(RunListFilter filter)
    {
        (string Name, string? Value)[] parts =
        [
            ("state", filter.State is { } state ? Words.NameOf(state) : null),
            ("name", filter.Name),
            ("tag", filter.Tag),
            ("dataset", filter.Dataset),
            .. filter.Where.Select(condition => ("where", (string?)condition)),
            ("sort", filter.Sort),
            ("after", filter.After),
        ];
        var given = parts.Where(part => part.Value is not null).Select(part => $"{part.Name}={Uri.EscapeDataString(part.Value!)}");
        var query = string.Join('&', given);
        return query.Length == 0 ? "" : "?" + query;
    }
}
