using System.Globalization;
using System.Text.RegularExpressions;

namespace Distributed.Contracts;

/// <summary>
/// Reads what people write as text, on command lines, in settings and in addresses: in the invariant culture and as a whole, so that
/// neither a decimal comma nor a group separator nor white space is passed over.
/// </summary>
public static partial class StrictText
{
    /// <summary>Characters of a name that are compared with others.</summary>
    private const int LongestName = 100;

    /// <summary>A whole number: digits, and a sign where there is one.</summary>
    public static bool TryParseInteger(string? text, out long value)
    {
        value = 0;
        return IsNumber(text) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>A finite number: digits with a decimal point, a sign and an exponent where there are some.</summary>
    public static bool TryParseNumber(string? text, out double value)
    {
        const NumberStyles styles = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        value = 0;
        return IsNumber(text) && double.TryParse(text, styles, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);
    }

    /// <summary><c>true</c> or <c>false</c>, in any case.</summary>
    public static bool TryParseBoolean(string? text, out bool value)
    {
        value = string.Equals(text, "true", StringComparison.OrdinalIgnoreCase);
        return value || string.Equals(text, "false", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>A length of time as <c>[days.]hours:minutes:seconds[.fraction]</c>: a bare number would be days.</summary>
    public static bool TryParseTime(string? text, out TimeSpan value)
    {
        value = default;
        return text is not null && Time().IsMatch(text) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>The known name that somebody who wrote another one most likely meant; null where none is near.</summary>
    public static string? Nearest(string name, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(known);
        var written = Fold(name, stackalloc char[LongestName]);
        Span<char> letters = stackalloc char[LongestName];
        var (nearest, least, length) = ((string?)null, int.MaxValue, 0);
        foreach (var candidate in known)
        {
            var folded = Fold(candidate, letters);
            if (Distance(written, folded) is var distance && distance < least)
            {
                (nearest, least, length) = (candidate, distance, folded.Length);
            }
        }

        return least <= Math.Max(1, length / 3) ? nearest : null;
    }

    private static bool IsNumber(string? text) =>
        text is { Length: > 0 and <= 100 }
        && text.All(character => char.IsAsciiDigit(character) || character is '+' or '-' or '.' or 'e' or 'E');

    /// <summary>Letters and digits alone, in lower case.</summary>
    private static ReadOnlySpan<char> Fold(string name, Span<char> letters)
    {
        var count = 0;
        foreach (var character in name.AsSpan(0, Math.Min(name.Length, letters.Length)))
        {
            if (char.IsLetterOrDigit(character))
            {
                letters[count++] = char.ToLowerInvariant(character);
            }
        }

        return letters[..count];
    }

    /// <summary>How many characters must be added, removed or changed to make one text the other.</summary>
    private static int Distance(ReadOnlySpan<char> one, ReadOnlySpan<char> other)
    {
        Span<int> row = stackalloc int[LongestName + 1];
        row = row[..(other.Length + 1)];
        for (var j = 0; j < row.Length; j++)
        {
            row[j] = j;
        }

        for (var i = 1; i <= one.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var cost = one[i - 1] == other[j - 1] ? 0 : 1;
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + cost));
            }
        }

        return row[^1];
    }

    [GeneratedRegex(
        @"\A-?([0-9]{1,8}\.)?[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?\z",
        RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex Time();
}
