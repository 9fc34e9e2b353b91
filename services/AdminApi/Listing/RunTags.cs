using System.Linq.Expressions;
using System.Text.Json;

namespace Distributed.AdminApi.Listing;

/// <summary>The labels of a run, one of which a filter asks for.</summary>
internal sealed class RunTags : RunField
{
    /// <inheritdoc />
    public override IReadOnlyList<string> Operators => ["=", "!="];

    /// <inheritdoc />
    public override bool CanSort => false;

    /// <inheritdoc />
    public override Expression<Func<RunRow, bool>> Compare(string operation, string text, out string wrong)
    {
        wrong = "";
        return (operation, text) switch
        {
            ("=", "") => row => row.Run.Tags.Count == 0,
            (_, "") => row => row.Run.Tags.Count > 0,
            ("=", _) => row => row.Run.Tags.Contains(text),
            _ => row => !row.Run.Tags.Contains(text),
        };
    }

    /// <inheritdoc />
    public override IQueryable<RunRow> WithValue(IQueryable<RunRow> rows) => throw Unsorted();

    /// <inheritdoc />
    public override IQueryable<RunRow> WithoutValue(IQueryable<RunRow> rows) => throw Unsorted();

    /// <inheritdoc />
    public override Task<List<RunPosition>> ReadAsync(
        IQueryable<RunRow> rows,
        RunPosition? after,
        bool descending,
        int count,
        CancellationToken cancellationToken
    ) => throw Unsorted();

    /// <inheritdoc />
    public override bool IsValue(JsonElement value) => false;

    private static NotSupportedException Unsorted() => new("Runs have several tags, and so no order by them.");
}
