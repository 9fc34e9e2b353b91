using System.Text.Json;
using System.Text.Json.Nodes;

namespace Distributed.Contracts;

/// <summary>
/// Reads a specification from what people and programs send: JSON of a request or a message, or the options of a command line. Every
/// value is read by its <see cref="RunSetting"/>, so all three take the same values and refuse the same ones, and everything that is
/// wrong is found at once: types, names, ranges, unknown fields, fields that are given twice, settings that do not go together.
/// </summary>
public static class RunSpecificationReader
{
    private const string Whole = "specification";
    private const int MostErrors = 50;

    private static readonly string[] Groups =
    [
        .. RunSettings
            .All.Where(setting => setting.Field.Contains('.', StringComparison.Ordinal))
            .Select(setting => setting.Field.Split('.')[0])
            .Distinct(StringComparer.Ordinal),
    ];

    /// <summary>Reads a JSON object.</summary>
    /// <param name="json">The object; also what is no object, which is an error.</param>
    /// <param name="errors">What is wrong, in the order in which it stands there, at most 50; empty when the result is not null.</param>
    public static RunSpecification? Read(JsonElement json, out IReadOnlyList<SpecificationError> errors)
    {
        var reading = new Reading();
        if (json.ValueKind == JsonValueKind.Undefined)
        {
            reading.Add(new SpecificationError(Whole, "is missing; give a JSON object, {} for the sample run"));
        }
        else if (json.ValueKind != JsonValueKind.Object)
        {
            reading.Add(new SpecificationError(Whole, $"is {SettingType.Show(json)}; it must be a JSON object, {{}} for the sample run"));
        }
        else
        {
            reading.Walk(json, prefix: "");
        }

        return reading.Finish(out errors);
    }

    /// <summary>Reads the options of a command line.</summary>
    /// <param name="options">The options that are given, each with its texts: one, or one an entry where the option may be repeated.</param>
    /// <param name="errors">What is wrong; empty when the result is not null.</param>
    public static RunSpecification? Read(
        IEnumerable<(RunSetting Setting, IReadOnlyList<string> Texts)> options,
        out IReadOnlyList<SpecificationError> errors
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        var reading = new Reading();
        foreach (var (setting, texts) in options)
        {
            var wrong = "";
            reading.Take(setting, setting.IsRepeated ? texts.Cast<object>().ToList() : setting.Type.Parse(texts[0], out wrong), wrong);
        }

        return reading.Finish(out errors);
    }

    private sealed class Reading
    {
        private readonly List<SpecificationError> _errors = [];
        private readonly JsonObject _values = [];

        public void Add(SpecificationError error)
        {
            if (_errors.Count < MostErrors)
            {
                _errors.Add(error);
            }
        }

        /// <summary>Reads the fields of one object.</summary>
        public void Walk(JsonElement json, string prefix)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (var property in json.EnumerateObject())
            {
                if (NameOf(property) is not { Length: > 0 } name)
                {
                    Add(
                        new SpecificationError(
                            prefix.Length == 0 ? Whole : prefix.TrimEnd('.'),
                            "has a field without a name, or one that is no valid Unicode text"
                        )
                    );
                    continue;
                }

                var field = prefix + name;
                if (!seen.Add(name))
                {
                    Add(new SpecificationError(RunSpecificationRules.Shown(field), "is given twice; give it once"));
                }
                else if (RunSettings.Find(field) is { } setting)
                {
                    Take(setting, property.Value);
                }
                else if (prefix.Length == 0 && Groups.Contains(name, StringComparer.Ordinal))
                {
                    Enter(name, property.Value);
                }
                else if (_errors.Count < MostErrors)
                {
                    Add(Unknown(field, name));
                }
            }
        }

        public void Take(RunSetting setting, object? value, string wrong)
        {
            if ((value is null ? wrong : setting.Type.Check(value)) is { } found)
            {
                Add(setting.Error(found));
                return;
            }

            if (value is string name && name == setting.FormerDefault)
            {
                return;
            }

            var path = setting.Field.Split('.');
            var target = _values;
            if (path.Length > 1)
            {
                target = (_values[path[0]] ??= new JsonObject()).AsObject();
            }

            target[path[^1]] = ToJson(value);
        }

        public RunSpecification? Finish(out IReadOnlyList<SpecificationError> errors)
        {
            var specification = _values.Deserialize<RunSpecification>(ContractJson.Strict)!;
            if (_values["training"]?["optimizer"] is null)
            {
                var optimizer = EarlierSpecifications.MeansAdam(specification)
                    ? HeadOptimizer.Adam
                    : RunSpecificationRules.DefaultOptimizer(specification.Head.Kind);
                specification = specification with { Training = specification.Training with { Optimizer = optimizer } };
            }

            // What goes together is looked at where each of it is right by itself.
            if (
                !_errors.Any(error =>
                    Groups.Any(group => error.Field == group || error.Field.StartsWith(group + ".", StringComparison.Ordinal))
                )
            )
            {
                RunSpecificationRules.FindConflicts(specification).ToList().ForEach(Add);
            }

            errors = _errors;
            return _errors.Count == 0 ? specification : null;
        }

        private static SpecificationError Unknown(string field, string name)
        {
            // A field that stands one level too high or too low is meant more often than another one.
            var nearest =
                RunSettings.All.FirstOrDefault(setting => string.Equals(setting.Name, name, StringComparison.OrdinalIgnoreCase))?.Field
                ?? StrictText.Nearest(field, RunSettings.All.Select(setting => setting.Field))
                ?? RunSettings.All.FirstOrDefault(setting => StrictText.Nearest(name, [setting.Name]) is not null)?.Field;
            return new SpecificationError(
                RunSpecificationRules.Shown(field),
                nearest is null ? "is an unknown field; check its spelling" : $"is an unknown field; did you mean {nearest}?"
            );
        }

        private static string? NameOf(JsonProperty property)
        {
            try
            {
                return property.Name;
            }
            catch (InvalidOperationException)
            {
                return null;
            }
        }

        private static JsonNode? ToJson(object? value) =>
            value switch
            {
                null => null,
                int number => JsonValue.Create(number),
                double number => JsonValue.Create(number),
                bool flag => JsonValue.Create(flag),
                IReadOnlyList<object> list => new JsonArray([.. list.Select(ToJson)]),
                _ => JsonValue.Create((string)value),
            };

        private void Enter(string name, JsonElement value)
        {
            if (value.ValueKind == JsonValueKind.Object)
            {
                Walk(value, name + ".");
            }
            else
            {
                Add(
                    new SpecificationError(name, $"is {SettingType.Show(value)}; it must be a JSON object, or be left out for the default")
                );
            }
        }

        private void Take(RunSetting setting, JsonElement json)
        {
            if (json.ValueKind == JsonValueKind.Null && setting.IsOptional)
            {
                return;
            }

            Take(setting, setting.Type.Read(json, out var wrong), wrong);
        }
    }
}
