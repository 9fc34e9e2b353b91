using System.Buffers.Text;
using System.Text.Json;
using Distributed.Contracts;

namespace Distributed.AdminApi.Listing;

/// <summary>Where a page of a list ended, as a text without meaning for who passes it on.</summary>
/// <param name="Sort">The order of the list.</param>
/// <param name="Value">What its last run is ordered by; null where it has no value.</param>
/// <param name="Id">Its last run.</param>
internal sealed record RunCursor(string Sort, JsonElement? Value, Guid Id)
{
    private const int Longest = 2_000;

    /// <summary>The text.</summary>
    public string Write() => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(this, ContractJson.Strict));

    /// <summary>Reads a text that <see cref="Write"/> made for the same order.</summary>
    /// <param name="text">The text.</param>
    /// <param name="query">The list.</param>
    /// <returns>Null where it is none.</returns>
    public static RunPosition? Read(string text, RunListQuery query)
    {
        if (text.Length > Longest || !Base64Url.IsValid(text))
        {
            return null;
        }

        try
        {
            var cursor = JsonSerializer.Deserialize<RunCursor>(Base64Url.DecodeFromChars(text), ContractJson.Strict);
            return
                cursor is not null
                && string.Equals(cursor.Sort, query.Sort, StringComparison.Ordinal)
                && (cursor.Value is { ValueKind: not JsonValueKind.Null } value ? query.OrderBy.IsValue(value) : query.MayLackValue)
                ? new RunPosition(cursor.Value is { ValueKind: not JsonValueKind.Null } last ? last : null, cursor.Id)
                : null;
        }
        catch (JsonException)
        {
            // Somebody's own text.
            return null;
        }
    }
}
