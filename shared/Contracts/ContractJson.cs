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

    /// <summary>Whether two texts that <see cref="Write"/> made ask for the same run.</summary>
    /// <remarks>Where no architecture was given, the first versions wrote the one that was the default.</remarks>
    public static bool IsSame(string one, string other)
    {
        return string.Equals(one, other, StringComparison.Ordinal) || string.Equals(Earlier(one), Earlier(other), StringComparison.Ordinal);

        static string Earlier(string text)
        {
            try
            {
                return JsonSerializer.Deserialize<RunSpecification>(text, Strict) is { } specification
                    ? Write(specification with { Architecture = specification.Architecture ?? "densenet121" })
                    : text;
            }
            catch (JsonException)
            {
                // Of a later version: equal if its text is.
                return text;
            }
        }
    }

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
            TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { LeaveOutReport } },
        };
        Configure(options);
        options.MakeReadOnly();
        return options;
    }

    /// <summary>As all members that came later, the report is left out where it is at its default; for a default of true no attribute says so.</summary>
    private static void LeaveOutReport(JsonTypeInfo type)
    {
        if (type.Type == typeof(RunSpecification))
        {
            var name = JsonNamingPolicy.CamelCase.ConvertName(nameof(RunSpecification.Report));
            type.Properties.Single(property => property.Name == name).ShouldSerialize = (_, value) => value is false;
        }
    }
}
