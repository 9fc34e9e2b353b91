using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Distributed.Contracts;

/// <summary>One setting of a run, for all that reads, checks, writes or explains it; made from the description beside its member.</summary>
public sealed class RunSetting
{
    private readonly SettingAttribute _described;
    private readonly PropertyInfo[] _path;
    private readonly bool _isAuto;

    internal RunSetting(PropertyInfo[] path)
    {
        _path = path;
        var member = path[^1];
        _described = member.GetCustomAttribute<SettingAttribute>()!;
        Field = string.Join('.', path.Select(part => JsonNamingPolicy.CamelCase.ConvertName(part.Name)));
        Name = JsonNamingPolicy.CamelCase.ConvertName(member.Name);
        Option = _described.Option ?? "--" + JsonNamingPolicy.KebabCaseLower.ConvertName(member.Name);
        Type = TypeOf(member.PropertyType, _described);
        _isAuto = AutoConverter.IsFor(member.PropertyType);
        IsOptional = !_isAuto && new NullabilityInfoContext().Create(member).WriteState == NullabilityState.Nullable;
        Default = _described.Default ?? TextOf(new RunSpecification());
    }

    /// <summary>Its path in JSON, as in <c>training.learningRate</c>.</summary>
    public string Field { get; }

    /// <summary>The last part of its path, as in <c>learningRate</c>.</summary>
    public string Name { get; }

    /// <summary>Its command-line option, as in <c>--learning-rate</c>.</summary>
    public string Option { get; }

    /// <summary>What is allowed, as in "a number above 0, up to 10".</summary>
    public string Allowed => Type.Allowed;

    /// <summary>Limits that are worth a word in help, as in "from 32 to 1024"; empty where there are none, or where the placeholder says it.</summary>
    public string Limits => _described.Choices.Length > 0 ? Type.Allowed : Type.Limits;

    /// <summary>What it does: one sentence without a full stop.</summary>
    public string Help =>
        _described.Optimizers.Length == 0
            ? _described.Help
            : $"{string.Join(", ", _described.Optimizers.Select(optimizer => ChoiceName.Of(optimizer)))}: {_described.Help}";

    /// <summary>What else there is to know, in sentences of Markdown; empty where there is nothing.</summary>
    public string Details => _described.Details;

    /// <summary>The default: as an option takes it, or in words where it follows another setting; null or empty where there is none.</summary>
    public string? Default { get; }

    /// <summary>The version of the specification that brought it.</summary>
    public int Since => _described.Since;

    /// <summary>What stands for its value in help, as in <c>N</c>.</summary>
    public string Placeholder => _described.Placeholder ?? Type.Placeholder;

    /// <summary>Words with a meaning of their own, beside which it may be a path; empty where it is no path.</summary>
    public IReadOnlyList<string> Words => _described.Words;

    /// <summary>Whether its option is given once an entry.</summary>
    public bool IsRepeated => _described.IsRepeated;

    /// <summary>Whether it may be absent, which null says too.</summary>
    public bool IsOptional { get; }

    /// <summary>Whether it only says what the run is called, who wants it and how soon; it decides nothing about the result.</summary>
    public bool IsLabel => _described.IsLabel;

    /// <summary>Whether it says how a head is trained, and nothing to a run that predicts with a model.</summary>
    public bool IsForTraining => _described.IsForTraining || Optimizers.Count > 0;

    /// <summary>What its values are.</summary>
    public SettingKind Kind => Type.Kind;

    /// <summary>The names that it is one of; empty where it is no choice.</summary>
    public IReadOnlyList<string> Choices => Type.Choices;

    /// <summary>The optimizers that it is for; empty for all.</summary>
    public IReadOnlyList<HeadOptimizer> Optimizers => _described.Optimizers;

    internal SettingType Type { get; }

    internal string? FormerDefault => _described.FormerDefault;

    /// <summary>The value as an option takes it; null where there is none.</summary>
    /// <param name="specification">Whose value.</param>
    public string? TextOf(RunSpecification specification) => SettingType.Write(ValueOf(specification));

    /// <summary>The value: a text, a number, a flag, a choice or a list; null where there is none.</summary>
    /// <param name="specification">Whose value.</param>
    public object? ValueOf(RunSpecification specification) =>
        _path.Aggregate((object?)specification, (holder, part) => part.GetValue(holder)) ?? (_isAuto ? AutoConverter.Auto : null);

    /// <summary>Reads a value as an option takes it, whether or not it is allowed: to compare with those of runs.</summary>
    /// <param name="text">The text.</param>
    /// <param name="wrong">What is wrong with it, in words that go before "; it must be …"; empty where nothing is.</param>
    /// <returns>A text, an int, a double, a bool, or a list of these; null where it is none.</returns>
    public object? Parse(string text, out string wrong)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Type.Parse(text, out wrong);
    }

    /// <summary>Reads a value from JSON.</summary>
    /// <param name="json">The value; null for none, where the setting may be absent.</param>
    /// <param name="error">What is wrong with it; null where nothing is.</param>
    /// <returns>A text, an int, a double, a bool, or a list of these; null where it is none.</returns>
    public object? Read(JsonElement json, out SpecificationError? error)
    {
        error = null;
        if (json.ValueKind == JsonValueKind.Null && IsOptional)
        {
            return null;
        }

        var value = Type.Read(json, out var wrong);
        if ((value is null ? wrong : Type.Check(value)) is { } found)
        {
            error = Error(found);
        }

        return value;
    }

    /// <summary>JSON Schema of its values, with default and description.</summary>
    public JsonObject Schema()
    {
        var schema = Type.Schema();
        if (IsOptional)
        {
            schema["type"] = new JsonArray("null", schema["type"]!.DeepClone());
        }

        if (_described.Default is null && ValueOf(new RunSpecification()) is { } usual)
        {
            schema.Add("default", JsonSerializer.SerializeToNode(usual, ContractJson.Strict));
        }

        schema.Add("description", $"{Help}. {Details} Must be {Allowed}.".Replace("  ", " ", StringComparison.Ordinal));
        return schema;
    }

    internal SpecificationError Error(string wrong) => new(Field, $"{wrong}; it must be {Allowed}");

    private static SettingType TypeOf(Type type, SettingAttribute described)
    {
        var bare = Nullable.GetUnderlyingType(type) ?? type;
        string[] auto = AutoConverter.IsFor(type) ? [AutoConverter.Auto] : [];
        return bare.IsEnum
                ? SettingType.OneOf([.. auto, .. Enum.GetValues(bare).Cast<Enum>().Select(ChoiceName.Of)], described.FormerDefault)
            : described.Choices.Length > 0 ? SettingType.OneOf(described.Choices, described.FormerDefault)
            : bare == typeof(int) ? SettingType.Integer(described)
            : bare == typeof(double) ? SettingType.Number(described)
            : bare == typeof(bool) ? SettingType.Flag
            : bare == typeof(string) ? SettingType.Text(described)
            : bare.IsGenericType ? SettingType.ListOf(TypeOf(bare.GenericTypeArguments[0], described), described)
            : throw new NotSupportedException($"No setting is of the type {bare}: SettingType says which there are.");
    }
}
