using System.Text.Json;
using System.Text.Json.Serialization;

namespace Distributed.Datasets;

/// <summary>How the records of this library are written as JSON.</summary>
public static class DatasetJson
{
    /// <summary>camelCase names, enumerations as strings, absent members refused on reading.</summary>
    public static JsonSerializerOptions Options { get; } = Create();

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            NumberHandling = JsonNumberHandling.Strict,
            RespectNullableAnnotations = true,
            RespectRequiredConstructorParameters = true,
        };
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
