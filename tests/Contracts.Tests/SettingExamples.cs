using System.Text.Json;
using System.Text.Json.Nodes;

namespace Distributed.Contracts.Tests;

/// <summary>Values for snapshots: allowed by a setting's schema, and not its default.</summary>
internal static class SettingExamples
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Adds to the snapshot of a version the settings that it lacks, with the optimizer that they are for.</summary>
    public static void AddTo(string path, IEnumerable<RunSetting> settings)
    {
        var snapshot = File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path))!.AsObject() : [];
        var missing = settings.Where(setting => Holder(snapshot, setting)[Name(setting)] is null).ToList();
        if (missing.Count == 0)
        {
            return;
        }

        missing.ForEach(setting => Holder(snapshot, setting)[Name(setting)] = Create(setting.Schema()));
        foreach (var optimizer in missing.SelectMany(setting => setting.Optimizers).Take(1))
        {
            snapshot["training"]!["optimizer"] = ChoiceName.Of(optimizer);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, snapshot.ToJsonString(Indented) + "\n");
    }

    private static string Name(RunSetting setting) => setting.Field.Split('.')[^1];

    private static JsonObject Holder(JsonObject snapshot, RunSetting setting) =>
        setting.Field.Split('.').SkipLast(1).Aggregate(snapshot, (holder, name) => (holder[name] ??= new JsonObject()).AsObject());

    private static JsonNode? Create(JsonNode schema)
    {
        if (schema["enum"] is JsonArray names)
        {
            return names.Last(name => !JsonNode.DeepEquals(name, schema["default"]))!.DeepClone();
        }

        return (schema["type"] is JsonArray types ? types[^1] : schema["type"])!.GetValue<string>() switch
        {
            "boolean" => !schema["default"]!.GetValue<bool>(),
            "array" => new JsonArray(Create(schema["items"]!)),
            "string" => "text",
            _ => schema["maximum"]?.DeepClone() ?? schema["exclusiveMaximum"]?.GetValue<double>() / 4 ?? 7,
        };
    }
}
