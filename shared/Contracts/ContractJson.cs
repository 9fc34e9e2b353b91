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
            TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { LeaveOutDefaults } },
        };
        Configure(options);
        options.MakeReadOnly();
        return options;
    }

    /// <summary>As all members that came later, these are left out where they are at their defaults; for a default that is not the type's no attribute says so.</summary>
    private static void LeaveOutDefaults(JsonTypeInfo type)
    {
        if (type.Type == typeof(RunSpecification))
        {
            var defaults = new RunSpecification();
            LeaveOut(nameof(RunSpecification.Report), defaults.Report);
            LeaveOut(nameof(RunSpecification.MaxSkipped), defaults.MaxSkipped);
        }

        void LeaveOut(string member, object usual)
        {
            var name = JsonNamingPolicy.CamelCase.ConvertName(member);
            type.Properties.Single(property => property.Name == name).ShouldSerialize = (_, value) => !usual.Equals(value);
        }
    }
}
