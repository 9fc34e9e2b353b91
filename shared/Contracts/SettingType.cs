using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Distributed.Contracts;

/// <summary>
/// The values that a setting takes: how they are read, from JSON or from text to the same value (a string, an int, a double, a bool, or
/// a list of these), which of them are allowed, and how that is described, in words and as JSON Schema. What is wrong is said in words that go
/// before "; it must be …".
/// </summary>
internal abstract class SettingType
{
    private delegate bool TryRead<TFrom, TValue>(TFrom from, out TValue value);

    /// <summary>What its values are.</summary>
    public abstract SettingKind Kind { get; }

    /// <summary>The names that a value is one of; empty where it is no choice.</summary>
    public virtual IReadOnlyList<string> Choices => [];

    /// <summary>What is allowed, as in "a number above 0, up to 10".</summary>
    public abstract string Allowed { get; }

    /// <summary>The same of several, as in "numbers above 0, up to 10".</summary>
    public abstract string AllowedEntries { get; }

    /// <summary>What stands for a value in help, as in <c>N</c>.</summary>
    public abstract string Placeholder { get; }

    /// <summary>Limits that are worth a word in help, as in "from 32 to 1024"; empty where there are none, or where the placeholder says it.</summary>
    public virtual string Limits => "";

    /// <summary>JSON Schema of a value.</summary>
    public abstract JsonObject Schema();

    /// <returns>The value; null where there is none, which <paramref name="wrong"/> explains.</returns>
    public abstract object? Read(JsonElement json, out string wrong);

    /// <returns>The value; null where there is none, which <paramref name="wrong"/> explains.</returns>
    public abstract object? Parse(string text, out string wrong);

    /// <summary>What is wrong with a value of the right type; null when nothing is.</summary>
    public abstract string? Check(object value);

    /// <summary>Whole numbers; all of 32 bits where no limit is given.</summary>
    public static SettingType Integer(SettingAttribute limits) => new IntegerType(limits);

    /// <summary>Finite numbers.</summary>
    public static SettingType Number(SettingAttribute limits) => new NumberType(limits);

    /// <summary>True or false.</summary>
    public static SettingType Flag { get; } = new FlagType();

    /// <summary>One of some names, in any case; the value is the name as it is written here. A former name is read, too, and not shown.</summary>
    public static SettingType OneOf(IReadOnlyList<string> names, string? former) =>
        new ChoiceType(names, former is null ? names : [.. names, former]);

    /// <summary>A text without control characters, which databases and pages refuse; with words of its own it is one of them or a path.</summary>
    public static SettingType Text(SettingAttribute limits) => new TextType(limits);

    /// <summary>A JSON array, or text with commas between the entries.</summary>
    public static SettingType ListOf(SettingType entry, SettingAttribute limits) => new ListType(entry, limits);

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

    /// <summary>A value as it may stand in an answer.</summary>
    public static string Show(object value) =>
        value is string text ? $"\"{RunSpecificationRules.Shown(text)}\"" : RunSpecificationRules.Shown(Write(value));

    /// <summary>A value as an option takes it.</summary>
    public static string? Write(object? value) =>
        value switch
        {
            null => null,
            bool flag => flag ? "true" : "false",
            string text => text,
            System.Collections.IEnumerable list => string.Join(',', list.Cast<object>().Select(Write)),
            Enum choice => ChoiceName.Of(choice),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture),
        };

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

    private static string Alternatives(IReadOnlyList<string> names) => $"{string.Join(", ", names.SkipLast(1))} or {names[^1]}";

    /// <summary>The range of numbers.</summary>
    private sealed class Bounds(SettingAttribute limits)
    {
        public bool Allows(double value) =>
            !(value < limits.Minimum || value <= limits.ExclusiveMinimum || value > limits.Maximum || value >= limits.ExclusiveMaximum);

        public string Text { get; } =
            string.Join(
                    ", ",
                    new[]
                    {
                        (limits.Minimum, "from"),
                        (limits.ExclusiveMinimum, "above"),
                        (limits.Maximum, double.IsNaN(limits.Minimum) ? "up to" : "to"),
                        (limits.ExclusiveMaximum, double.IsNaN(limits.Minimum) ? "below" : "to below"),
                    }
                        .Where(bound => !double.IsNaN(bound.Item1))
                        .Select(bound => $"{bound.Item2} {Write(bound.Item1)}")
                )
                .Replace(", to", " to", StringComparison.Ordinal);

        public JsonObject AddTo(JsonObject schema)
        {
            Add("minimum", limits.Minimum);
            Add("exclusiveMinimum", limits.ExclusiveMinimum);
            Add("maximum", limits.Maximum);
            Add("exclusiveMaximum", limits.ExclusiveMaximum);
            return schema;

            void Add(string name, double bound)
            {
                if (!double.IsNaN(bound))
                {
                    schema.Add(name, bound);
                }
            }
        }
    }

    private abstract class Scalar<T>(TryRead<JsonElement, T> read, TryRead<string, T> parse) : SettingType
        where T : notnull
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

        public override string? Check(object value) => CheckValue((T)value);

        protected abstract string? CheckValue(T value);
    }

    private sealed class IntegerType(SettingAttribute limits)
        : Scalar<int>(
            (JsonElement json, out int value) => (value = 0) == 0 && json.ValueKind == JsonValueKind.Number && json.TryGetInt32(out value),
            (string text, out int value) =>
            {
                var isInteger = StrictText.TryParseInteger(text, out var parsed) && parsed is >= int.MinValue and <= int.MaxValue;
                value = isInteger ? (int)parsed : 0;
                return isInteger;
            }
        )
    {
        private readonly Bounds _bounds = new(limits);

        public override SettingKind Kind => SettingKind.WholeNumber;

        public override string Allowed => $"a whole number {Range}";

        public override string AllowedEntries => $"whole numbers {Range}";

        public override string Placeholder => "N";

        public override string Limits => _bounds.Text;

        private string Range => Limits.Length > 0 ? Limits : $"from {Write(int.MinValue)} to {Write(int.MaxValue)}";

        public override JsonObject Schema() => _bounds.AddTo(new JsonObject { ["type"] = "integer", ["format"] = "int32" });

        protected override string? CheckValue(int value) => _bounds.Allows(value) ? null : $"is {Show(value)}";
    }

    private sealed class NumberType(SettingAttribute limits)
        : Scalar<double>(
            (JsonElement json, out double value) =>
                (value = 0) == 0 && json.ValueKind == JsonValueKind.Number && json.TryGetDouble(out value) && double.IsFinite(value),
            StrictText.TryParseNumber
        )
    {
        private readonly Bounds _bounds = new(limits);

        public override SettingKind Kind => SettingKind.Number;

        public override string Allowed => $"a number {Limits}".TrimEnd();

        public override string AllowedEntries => $"numbers {Limits}".TrimEnd();

        public override string Placeholder => "X";

        public override string Limits => _bounds.Text;

        public override JsonObject Schema() => _bounds.AddTo(new JsonObject { ["type"] = "number" });

        protected override string? CheckValue(double value) => _bounds.Allows(value) ? null : $"is {Show(value)}";
    }

    private sealed class FlagType()
        : Scalar<bool>(
            (JsonElement json, out bool value) => (value = json.ValueKind == JsonValueKind.True) || json.ValueKind == JsonValueKind.False,
            StrictText.TryParseBoolean
        )
    {
        public override SettingKind Kind => SettingKind.Flag;

        public override string Allowed => "true or false";

        public override string AllowedEntries => Allowed;

        public override string Placeholder => "true|false";

        public override JsonObject Schema() => new() { ["type"] = "boolean" };

        protected override string? CheckValue(bool value) => null;
    }

    private sealed class ChoiceType(IReadOnlyList<string> names, IReadOnlyList<string> understood)
        : Scalar<string>(
            (JsonElement json, out string value) => TryGetText(json, out value) && TryFind(understood, value, out value),
            (string text, out string value) => TryFind(understood, text, out value)
        )
    {
        public override SettingKind Kind => SettingKind.Choice;

        public override IReadOnlyList<string> Choices => names;

        public override string Allowed => Alternatives(names);

        public override string AllowedEntries => Allowed;

        public override string Placeholder => string.Join('|', names);

        public override JsonObject Schema() =>
            new() { ["type"] = "string", ["enum"] = new JsonArray([.. names.Select(name => JsonValue.Create(name))]) };

        // Whatever was read is one of the names.
        protected override string? CheckValue(string value) => null;

        private static bool TryFind(IReadOnlyList<string> names, string text, out string value)
        {
            value = names.FirstOrDefault(name => string.Equals(name, text, StringComparison.OrdinalIgnoreCase)) ?? "";
            return value.Length > 0;
        }
    }

    private sealed class TextType(SettingAttribute limits)
        : Scalar<string>(TryGetText, (string text, out string value) => (value = text) is not null)
    {
        private readonly int _shortest = limits.Words.Length > 0 ? 1 : limits.MinLength;

        public override SettingKind Kind => SettingKind.Text;

        public override string Allowed =>
            limits.Words.Length > 0
                ? $"{string.Join(", ", limits.Words)} or a path of {Length}, none of them a control character"
                : $"a text of {Length}, none of them a control character";

        public override string AllowedEntries => $"texts of {Length}, none of them a control character";

        public override string Placeholder => limits.Words.Length > 0 ? $"{string.Join('|', limits.Words)}|PATH" : "TEXT";

        private string Length =>
            limits.MinLength > 0 ? $"{limits.MinLength} to {limits.MaxLength} characters" : $"at most {limits.MaxLength} characters";

        public override JsonObject Schema()
        {
            var schema = new JsonObject { ["type"] = "string", ["maxLength"] = limits.MaxLength };
            if (_shortest > 0)
            {
                schema.Add("minLength", _shortest);
            }

            return schema;
        }

        protected override string? CheckValue(string value) =>
            _shortest > 0 && string.IsNullOrWhiteSpace(value) ? "is empty"
            : value.Length > limits.MaxLength ? $"has {value.Length} characters"
            : value.Any(char.IsControl) ? "has a control character, such as a line break"
            : null;
    }

    private sealed class ListType(SettingType entry, SettingAttribute limits) : SettingType
    {
        private delegate object? ReadEntry<T>(T from, out string wrong);

        public override SettingKind Kind => SettingKind.List;

        public override string Allowed =>
            $"a list of {(limits.MinItems > 0 ? $"{limits.MinItems} to" : "at most")} {limits.MaxItems} {entry.AllowedEntries}"
            + (limits.IsFalling ? ", in falling order" : "");

        public override string AllowedEntries => throw new NotSupportedException("A list has no lists as entries.");

        public override string Placeholder => limits.IsRepeated ? entry.Placeholder : $"{entry.Placeholder},{entry.Placeholder},…";

        public override string Limits => entry.Limits.Length > 0 ? Allowed : "";

        public override JsonObject Schema() =>
            new()
            {
                ["type"] = "array",
                ["minItems"] = limits.MinItems,
                ["maxItems"] = limits.MaxItems,
                ["items"] = entry.Schema(),
            };

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

        public override string? Check(object value)
        {
            var list = (IReadOnlyList<object>)value;
            return list.Count < limits.MinItems || list.Count > limits.MaxItems ? $"has {list.Count} entries"
                : list.FirstOrDefault(item => entry.Check(item) is not null) is { } wrong ? $"has the entry {Show(wrong)}"
                : limits.IsFalling && list.Zip(list.Skip(1)).Any(pair => (double)pair.First <= (double)pair.Second) ? $"is [{Show(value)}]"
                : null;
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
    }
}
