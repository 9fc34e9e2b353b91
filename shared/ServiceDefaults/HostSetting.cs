using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using Distributed.Contracts;

namespace Distributed.ServiceDefaults;

/// <summary>One setting of a host.</summary>
/// <param name="Key">Its key in the configuration, as in <c>Training:Threads</c>.</param>
/// <param name="Allowed">What is allowed, as in "a whole number from 0 to 1024".</param>
/// <param name="Find">What is wrong with a value, as in "is 'abc'"; null when nothing is. It never repeats a secret.</param>
internal sealed record HostSetting(string Key, string Allowed, Func<string, string?> Find)
{
    /// <summary>What holds where it is not set; null for nothing.</summary>
    public string? Default { get; init; }

    /// <summary>Whether the host cannot do without.</summary>
    public bool IsRequired { get; init; }

    /// <summary>The environment variable that sets it.</summary>
    public string Variable => VariableOf(Key);

    public static string VariableOf(string key) =>
        key is "urls" or "http_ports" or "https_ports"
            ? $"ASPNETCORE_{key.ToUpperInvariant()}"
            : key.Replace(":", "__", StringComparison.Ordinal);

    /// <summary>The setting that a property of an options class is bound to, with the limits that its attributes state.</summary>
    public static HostSetting Of(string section, PropertyInfo property, object defaults)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var range = property.GetCustomAttribute<RangeAttribute>();
        var isOptional = property.GetValue(defaults) is null;
        var (what, parse) = Reader(type, property);
        var allowed =
            range is null ? what
            : range.Maximum is double and >= long.MaxValue ? $"{what} of at least {Text(range.Minimum)}"
            : $"{what} from {Text(range.Minimum)} to {Text(range.Maximum)}";
        return new HostSetting(
            $"{section}:{property.Name}",
            allowed,
            text =>
                text.Length == 0 && isOptional ? null
                : parse(text) is { } value && range?.IsValid(value) != false ? null
                : $"is {SettingText.Quote(text)}"
        )
        {
            Default = property.GetValue(defaults) is { } value ? Text(value) : null,
        };
    }

    private static (string What, Func<string, object?> Parse) Reader(Type type, PropertyInfo property) =>
        type switch
        {
            _ when type == typeof(int) => (
                "a whole number",
                text => StrictText.TryParseInteger(text, out var value) && value is >= int.MinValue and <= int.MaxValue ? (int)value : null
            ),
            _ when type == typeof(long) => ("a whole number", text => StrictText.TryParseInteger(text, out var value) ? value : null),
            _ when type == typeof(double) => ("a number", text => StrictText.TryParseNumber(text, out var value) ? value : null),
            _ when type == typeof(bool) => ("true or false", text => StrictText.TryParseBoolean(text, out var value) ? value : null),
            _ when type == typeof(TimeSpan) => (
                "a time as [days.]hours:minutes:seconds",
                text => StrictText.TryParseTime(text, out var value) ? value : null
            ),
            _ when type == typeof(Uri) => (
                "an address or the path of a file",
                text => Uri.TryCreate(text, UriKind.RelativeOrAbsolute, out var value) ? value : null
            ),
            { IsEnum: true } => (
                SettingText.OneOf(Enum.GetNames(type)),
                text => Array.Find(Enum.GetNames(type), name => string.Equals(name, text, StringComparison.OrdinalIgnoreCase))
            ),
            _ when type == typeof(string) && property.GetCustomAttribute<RegularExpressionAttribute>() is { } pattern => (
                pattern.ErrorMessage!,
                text => text.Length > 0 && pattern.IsValid(text) ? text : null
            ),
            _ when type == typeof(string) => ("a text", text => string.IsNullOrWhiteSpace(text) ? null : text),
            _ => throw new InvalidOperationException(
                $"{property.DeclaringType}.{property.Name} is of a type that no setting can be read as yet."
            ),
        };

    private static string Text(object value) =>
        value switch
        {
            // Limits of longs.
            double and >= long.MinValue and < long.MaxValue and var number when double.IsInteger(number) => ((long)number).ToString(
                CultureInfo.InvariantCulture
            ),
            bool or Enum => value.ToString()!.ToLowerInvariant(),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
}

/// <summary>How values stand in errors.</summary>
internal static class SettingText
{
    public static string Quote(string value) => $"'{RunSpecificationRules.Shown(value)}'";

    public static string OneOf(IReadOnlyList<string> names)
    {
        var lower = names.Select(name => name.ToLowerInvariant()).ToList();
        return lower.Count == 1 ? lower[0] : $"{string.Join(", ", lower.SkipLast(1))} or {lower[^1]}";
    }
}
