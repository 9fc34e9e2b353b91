using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Distributed.Contracts;

/// <summary>How contracts are written as JSON: camel case, enumerations by name, and no unknown fields in what people send.</summary>
public static class ContractJson
{
    private const int LongestDetails = 300;

    /// <summary>Reads and writes specifications; an unknown field is an error, so that a misspelt one is not ignored.</summary>
    public static JsonSerializerOptions Strict { get; } = Create();

    /// <summary>Reads a specification that a person sent.</summary>
    /// <param name="json">The JSON object.</param>
    /// <param name="errors">What is wrong with it; empty when the result is not null.</param>
    /// <returns>The specification, or null when there are errors.</returns>
    public static RunSpecification? ReadSpecification(JsonElement json, out IReadOnlyList<SpecificationError> errors)
    {
        try
        {
            return Read(json, out errors);
        }
        catch (InvalidOperationException exception)
        {
            // Text that is not in UTF-8, or half of a surrogate pair: found when it is read, and when it is shown.
            errors = [new SpecificationError("specification", RunSpecificationRules.Shown(exception.Message, LongestDetails))];
            return null;
        }
    }

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
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
    }

    private static RunSpecification? Read(JsonElement json, out IReadOnlyList<SpecificationError> errors)
    {
        try
        {
            var specification = json.Deserialize<RunSpecification>(Strict)
                ?? throw new JsonException("The specification is null; give a JSON object, {} for the sample run.");
            errors = RunSpecificationRules.Validate(specification);
            return errors.Count == 0 ? specification : null;
        }
        catch (JsonException exception)
        {
            errors = [Describe(json, exception)];
            return null;
        }
    }

    private static SpecificationError Describe(JsonElement json, JsonException exception)
    {
        var field = exception.Path?.TrimStart('$', '.') ?? "";
        JsonElement? found = json;
        foreach (var name in field.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            found = found is { ValueKind: JsonValueKind.Object } parent && parent.TryGetProperty(name, out var child) ? child : null;
        }

        var details = exception.Message.Split(" Path: ", StringSplitOptions.None)[0];
        field = RunSpecificationRules.Shown(field);
        if (details.Contains("could not be mapped", StringComparison.Ordinal))
        {
            return field.Length == 0
                ? new SpecificationError("specification", "has a field without a name")
                : new SpecificationError(field, "is no field of a run specification; check its spelling");
        }

        return field.Length == 0
            ? new SpecificationError("specification", RunSpecificationRules.Shown(details, LongestDetails))
            : new SpecificationError(field, found is null ? RunSpecificationRules.Shown(details, LongestDetails) : $"is {RunSpecificationRules.Shown(found.Value.GetRawText())}. {RunSpecificationRules.Shown(details, LongestDetails)}");
    }

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.General)
        {
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
