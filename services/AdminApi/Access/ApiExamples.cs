using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Distributed.AdminApi.Access;

/// <summary>
/// Gives every operation an example of what it takes and answers. They are made from the schemas, so that they cannot tell of fields that are not there;
/// what a field holds is told by its name.
/// </summary>
internal static class ApiExamples
{
    private const string Json = "application/json";
    private const int Deepest = 8;

    /// <summary>Adds the examples, where an operation has none of its own.</summary>
    public static void AddExamples(this OpenApiOptions options) =>
        options.AddDocumentTransformer(
            (document, _, _) =>
            {
                foreach (var operation in document.Paths.Values.SelectMany(path => path.Operations ?? []).Select(one => one.Value))
                {
                    Add(operation.RequestBody?.Content);
                    foreach (var (_, response) in operation.Responses?.Where(one => one.Key.StartsWith('2')) ?? [])
                    {
                        Add(response.Content);
                    }
                }

                return Task.CompletedTask;
            }
        );

    private static void Add(IDictionary<string, OpenApiMediaType>? content)
    {
        if (content?.TryGetValue(Json, out var body) == true && body is { Example: null, Schema: { } schema })
        {
            body.Example = Of(schema, name: null, depth: 0);
        }
    }

    private static JsonNode? Of(IOpenApiSchema schema, string? name, int depth)
    {
        if (schema is OpenApiSchemaReference { Reference.Id: { } id } && ExampleValues.OfSchema(id) is { } whole)
        {
            return whole;
        }

        if (name is not null && ExampleValues.OfField(name) is { } known && Fits(schema, known))
        {
            return known;
        }

        if (schema.OneOf is { Count: > 0 } alternatives)
        {
            return Of(alternatives.FirstOrDefault(one => one.Type != JsonSchemaType.Null) ?? alternatives[0], name, depth);
        }

        if (schema.Enum is { Count: > 0 } names)
        {
            return names.FirstOrDefault(one => one is not null)?.DeepClone();
        }

        if (schema.Default is { } usual)
        {
            return usual.DeepClone();
        }

        return (schema.Type & ~JsonSchemaType.Null) switch
        {
            _ when depth == Deepest => null,
            JsonSchemaType.Array => schema.Items is { } item ? new JsonArray(Of(item, Singular(name), depth + 1)) : [],
            JsonSchemaType.Boolean => true,
            JsonSchemaType.Integer => 1,
            JsonSchemaType.Number => 0.5,
            JsonSchemaType.String => ExampleValues.OfFormat(schema.Format),
            _ => Members(schema, depth),
        };
    }

    private static JsonObject Members(IOpenApiSchema schema, int depth)
    {
        var example = new JsonObject();
        foreach (var (name, member) in schema.Properties ?? new Dictionary<string, IOpenApiSchema>())
        {
            example[name] = Of(member, name, depth + 1);
        }

        if (example.Count == 0 && schema.AdditionalProperties is { } others)
        {
            example["champion"] = Of(others, name: null, depth + 1);
        }

        return example;
    }

    /// <summary>Entries of a list are called as the list is, without the s.</summary>
    private static string? Singular(string? name) => name is [.. var one, 's'] ? one : name;

    private static bool Fits(IOpenApiSchema schema, JsonNode value)
    {
        var type = (schema.OneOf?.FirstOrDefault(one => one.Type != JsonSchemaType.Null) ?? schema).Type & ~JsonSchemaType.Null;
        return value.GetValueKind() switch
        {
            System.Text.Json.JsonValueKind.String => type == JsonSchemaType.String,
            System.Text.Json.JsonValueKind.Number => type == JsonSchemaType.Number
                || (type == JsonSchemaType.Integer && value.ToJsonString().All(char.IsAsciiDigit)),
            System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False => type == JsonSchemaType.Boolean,
            System.Text.Json.JsonValueKind.Array => type == JsonSchemaType.Array,
            System.Text.Json.JsonValueKind.Object => type is null or JsonSchemaType.Object,
            _ => false,
        };
    }
}
