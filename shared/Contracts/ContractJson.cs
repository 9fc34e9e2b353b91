using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Distributed.Contracts;

/// <summary>How contracts are written as JSON: camel case, enumerations by name, and no unknown fields in what people send.</summary>
public static class ContractJson
{
    /// <summary>Reads and writes specifications; an unknown field is an error, so that a misspelt one is not ignored.</summary>
    public static JsonSerializerOptions Strict { get; } = Create();

    /// <summary>Writes a specification in full, defaults included.</summary>
    public static string Write(RunSpecification specification) => JsonSerializer.Serialize(specification, Strict);

    /// <summary>Reads a specification that <see cref="Write"/> made, in this version or an earlier one.</summary>
    /// <exception cref="JsonException">It is none, such as of a later version; the message names every field that is not understood.</exception>
    public static RunSpecification Read(string text)
    {
        using var json = JsonDocument.Parse(text);
        return RunSpecificationReader.Read(json.RootElement, out var errors)
            ?? throw new JsonException(string.Join(" ", errors.Select(error => $"{error.Field} {error.Message}.")));
    }

    /// <summary>Whether two texts that <see cref="Write"/> made ask for the same run.</summary>
    public static bool IsSame(string one, string other) =>
        string.Equals(one, other, StringComparison.Ordinal)
        || string.Equals(EarlierSpecifications.Rewrite(one), EarlierSpecifications.Rewrite(other), StringComparison.Ordinal);

    /// <summary>Adds the project's conventions to the options of a host.</summary>
    public static void Configure(JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
    }

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.General)
        {
            AllowDuplicateProperties = false,
            TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { WriteSettings } },
        };
        Configure(options);
        options.MakeReadOnly();
        return options;
    }

    /// <summary>
    /// Settings that came after the first version are left out where they are at their defaults, so that earlier hosts read what is
    /// written; choices that are left to the system have a name for that.
    /// </summary>
    private static void WriteSettings(JsonTypeInfo type)
    {
        foreach (var property in type.Properties)
        {
            if (property.AttributeProvider?.GetCustomAttributes(typeof(SettingAttribute), false) is not [SettingAttribute setting])
            {
                continue;
            }

            if (AutoConverter.IsFor(property.PropertyType))
            {
                property.CustomConverter = AutoConverter.Create(property.PropertyType);
            }

            if (setting.Since > 1)
            {
                var usual = SettingType.Write(property.Get!(Activator.CreateInstance(type.Type)!));
                property.ShouldSerialize = (_, value) => SettingType.Write(value) != usual;
            }
        }
    }
}
