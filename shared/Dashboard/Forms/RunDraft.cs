using System.Text.Json;
using System.Text.Json.Nodes;
using Distributed.Contracts;

namespace Distributed.Dashboard.Forms;

/// <summary>A specification as it is being typed: texts by field, judged as a command line's would be.</summary>
internal sealed class RunDraft
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);

    public RunDraft() => Judge();

    /// <summary>What the texts come to; null where something is wrong.</summary>
    public RunSpecification? Specification { get; private set; }

    /// <summary>What is wrong, by field.</summary>
    public IReadOnlyList<SpecificationError> Errors { get; private set; } = [];

    /// <summary>What was typed; empty where the default holds.</summary>
    public string this[string field]
    {
        get => _texts.GetValueOrDefault(field, "");
        set
        {
            if (string.IsNullOrWhiteSpace(value))
            {
                _texts.Remove(field);
            }
            else
            {
                _texts[field] = value;
            }

            Judge();
        }
    }

    /// <summary>A draft of what another run was.</summary>
    public static RunDraft Of(RunSpecification specification)
    {
        var draft = new RunDraft();
        foreach (var field in SettingField.All)
        {
            draft[field.Setting.Field] = field.TextOf(specification);
        }

        return draft;
    }

    /// <summary>What is wrong with a field; null where nothing is.</summary>
    public string? ErrorOf(string field) => Errors.FirstOrDefault(error => error.Field == field)?.Message;

    /// <summary>The settings that were given, as the API takes them.</summary>
    public JsonObject ToJson()
    {
        var given = new JsonObject();
        if (Specification is null)
        {
            return given;
        }

        var whole = JsonNode.Parse(ContractJson.Write(Specification))!.AsObject();
        foreach (var field in _texts.Keys)
        {
            var path = field.Split('.');
            if (path.Aggregate((JsonNode?)whole, (node, name) => node?[name]) is not { } value)
            {
                continue;
            }

            var holder = path.Length == 1 ? given : (given[path[0]] ??= new JsonObject()).AsObject();
            holder[path[^1]] = value.DeepClone();
        }

        return given;
    }

    /// <summary>The request by HTTP.</summary>
    public string ToCurl(string address) =>
        $"curl {address}/api/v1/runs -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n  -d '{ToJson().ToJsonString(Indented).Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>The request as a message to the exchange <c>submit-run</c>.</summary>
    public string ToMessage(Guid runId) =>
        new JsonObject { ["runId"] = runId.ToString("D"), ["specification"] = ToJson() }.ToJsonString(Indented);

    private void Judge()
    {
        Specification = RunSpecificationReader.Read(
            SettingField
                .All.Where(field => _texts.ContainsKey(field.Setting.Field))
                .Select(field => (field.Setting, (IReadOnlyList<string>)Entries(field.Setting))),
            out var errors
        );
        Errors = errors;
    }

    /// <summary>An option that is given once an entry takes them one by one.</summary>
    private string[] Entries(RunSetting setting) =>
        setting.IsRepeated
            ? _texts[setting.Field].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            : [_texts[setting.Field].Trim()];
}
