using System.Reflection;
using System.Text.Json.Nodes;

namespace Distributed.Contracts;

/// <summary>All settings of a run, as the members of <see cref="RunSpecification"/> describe them.</summary>
public static class RunSettings
{
    /// <summary>In the order in which help lists them: what only labels the run is last.</summary>
    public static IReadOnlyList<RunSetting> All { get; } = [.. Find(typeof(RunSpecification), []).OrderBy(setting => setting.IsLabel)];

    /// <summary>The setting of a field; null where there is none.</summary>
    /// <param name="field">Its path in JSON.</param>
    public static RunSetting? Find(string field) =>
        All.FirstOrDefault(setting => string.Equals(setting.Field, field, StringComparison.Ordinal));

    /// <summary>JSON Schema of a specification, with the limits, defaults and descriptions of all settings.</summary>
    public static JsonObject Schema()
    {
        var schema = Object();
        foreach (var setting in All)
        {
            var path = setting.Field.Split('.');
            var holder = schema;
            foreach (var group in path.SkipLast(1))
            {
                holder = (holder["properties"]![group] ??= Object()).AsObject();
            }

            holder["properties"]![path[^1]] = setting.Schema();
        }

        return schema;

        static JsonObject Object() =>
            new()
            {
                ["type"] = "object",
                ["additionalProperties"] = false,
                ["properties"] = new JsonObject(),
            };
    }

    private static IEnumerable<RunSetting> Find(Type holder, PropertyInfo[] path) =>
        holder
            .GetProperties()
            // What follows from settings is none.
            .Where(member => member.CanWrite)
            .OrderBy(member => member.MetadataToken)
            .SelectMany(member =>
                member.IsDefined(typeof(SettingAttribute))
                    ? [new RunSetting([.. path, member])]
                    : Find(member.PropertyType, [.. path, member])
            );
}
