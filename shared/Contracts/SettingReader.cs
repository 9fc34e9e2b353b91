using System.Text.Json;

namespace Distributed.Contracts;

/// <summary>
/// Reads a setting's value from JSON or from text, to the same value: a string, an int, a double, a bool, or a list of these. What it
/// cannot read it says in words that go before "; it must be …".
/// </summary>
internal abstract class SettingReader
{
    private delegate bool TryRead<TFrom, TValue>(TFrom from, out TValue value);

    public static SettingReader Text { get; } =
        new Scalar<string>(TryGetText, (string text, out string value) => (value = text) is not null);

    public static SettingReader Integer { get; } =
        new Scalar<int>(
            (JsonElement json, out int value) => (value = 0) == 0 && json.ValueKind == JsonValueKind.Number && json.TryGetInt32(out value),
            (string text, out int value) =>
            {
                var isInteger = StrictText.TryParseInteger(text, out var parsed) && parsed is >= int.MinValue and <= int.MaxValue;
                value = isInteger ? (int)parsed : 0;
                return isInteger;
            }
        );

    public static SettingReader Number { get; } =
        new Scalar<double>(
            (JsonElement json, out double value) =>
                (value = 0) == 0 && json.ValueKind == JsonValueKind.Number && json.TryGetDouble(out value) && double.IsFinite(value),
            StrictText.TryParseNumber
        );

    public static SettingReader Boolean { get; } =
        new Scalar<bool>(
            (JsonElement json, out bool value) => (value = json.ValueKind == JsonValueKind.True) || json.ValueKind == JsonValueKind.False,
            StrictText.TryParseBoolean
        );

    /// <summary>One of some names, in any case; the value is the name as it is written here.</summary>
    public static SettingReader OneOf(IReadOnlyList<string> names) =>
        new Scalar<string>(
            (JsonElement json, out string value) => TryGetText(json, out value) && TryFind(names, value, out value),
            (string text, out string value) => TryFind(names, text, out value)
        );

    /// <summary>A JSON array, or text with commas between the entries.</summary>
    public static SettingReader ListOf(SettingReader entry) => new List(entry);

    /// <returns>The value; null where there is none, which <paramref name="wrong"/> tells.</returns>
    public abstract object? Read(JsonElement json, out string wrong);

    /// <returns>The value; null where there is none, which <paramref name="wrong"/> tells.</returns>
    public abstract object? Parse(string text, out string wrong);

    /// <summary>A JSON value as it may stand in an answer.</summary>
    public static string Show(JsonElement json)
    {
        try
        {
            return RunSpecificationRules.Shown(json.GetRawText());
        }
        catch (InvalidOperationException)
        {
            return "no valid Unicode text";
        }
    }

    private static bool TryFind(IReadOnlyList<string> names, string text, out string value)
    {
        value = names.FirstOrDefault(name => string.Equals(name, text, StringComparison.OrdinalIgnoreCase)) ?? "";
        return value.Length > 0;
    }

    private static bool TryGetText(JsonElement json, out string value)
    {
        value = "";
        if (json.ValueKind != JsonValueKind.String)
        {
            return false;
        }

        try
        {
            value = json.GetString()!;
            return true;
        }
        catch (InvalidOperationException)
        {
            // Bytes that are not UTF-8, or half of a surrogate pair.
            return false;
        }
    }

    private sealed class Scalar<T>(TryRead<JsonElement, T> read, TryRead<string, T> parse) : SettingReader
    {
        public override object? Read(JsonElement json, out string wrong)
        {
            var isRead = read(json, out var value);
            wrong =
                isRead ? ""
                : json.ValueKind == JsonValueKind.String && !TryGetText(json, out _) ? "is no valid Unicode text"
                : $"is {Show(json)}";
            return isRead ? value : null;
        }

        public override object? Parse(string text, out string wrong)
        {
            var isRead = parse(text, out var value);
            wrong = isRead ? "" : $"is '{RunSpecificationRules.Shown(text)}'";
            return isRead ? value : null;
        }
    }

    private sealed class List(SettingReader entry) : SettingReader
    {
        public override object? Read(JsonElement json, out string wrong)
        {
            if (json.ValueKind == JsonValueKind.Array)
            {
                return Collect(json.EnumerateArray(), entry.Read, out wrong);
            }

            wrong = $"is {Show(json)}";
            return null;
        }

        public override object? Parse(string text, out string wrong)
        {
            var entries = text.Length == 0 ? [] : text.Split(',');
            // "1,024" was meant as one number, and would be read as two.
            if (Array.Find(entries, part => part is ['0', >= '0' and <= '9', ..]) is { } leading)
            {
                wrong =
                    $"has an entry that is '{RunSpecificationRules.Shown(leading)}', with a leading zero (commas stand between entries, not within a number)";
                return null;
            }

            return Collect(entries, entry.Parse, out wrong);
        }

        private static List<object>? Collect<T>(IEnumerable<T> entries, ReadEntry<T> read, out string wrong)
        {
            wrong = "";
            var values = new List<object>();
            foreach (var from in entries)
            {
                if (read(from, out var wrongEntry) is not { } value)
                {
                    // "is X" of an entry.
                    wrong = $"has an entry that {wrongEntry}";
                    return null;
                }

                values.Add(value);
            }

            return values;
        }

        private delegate object? ReadEntry<T>(T from, out string wrong);
    }
}
