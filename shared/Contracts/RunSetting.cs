using System.Globalization;
using System.Text.Json;

namespace Distributed.Contracts;

/// <summary>One setting of a run, described once for whoever reads, checks, writes or explains it.</summary>
public sealed record RunSetting
{
    private readonly Func<RunSpecification, object?> _get;
    private readonly Func<object, string?> _check;

    internal RunSetting(
        string field,
        string option,
        SettingReader reader,
        string allowed,
        Func<RunSpecification, object?> get,
        Func<object, string?> check
    ) => (Field, Option, Reader, Allowed, _get, _check) = (field, option, reader, allowed, get, check);

    /// <summary>Its path in JSON, as in <c>training.learningRate</c>.</summary>
    public string Field { get; }

    /// <summary>Its command-line option, as in <c>--learning-rate</c>.</summary>
    public string Option { get; }

    /// <summary>What is allowed, as in "a number above 0, up to 10".</summary>
    public string Allowed { get; }

    /// <summary>What it does, in one line.</summary>
    public required string Help { get; init; }

    /// <summary>What stands for its value in help, as in <c>N</c>.</summary>
    public required string Placeholder { get; init; }

    /// <summary>Words with a meaning of their own, beside which it may be a path; empty where it is no path.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Whether its option is given once an entry.</summary>
    public bool IsRepeated { get; init; }

    /// <summary>Whether it may be absent, which null says too.</summary>
    public bool IsOptional { get; init; }

    /// <summary>Whether it only says what the run is called, who wants it and how soon; it decides nothing about the result.</summary>
    public bool IsLabel { get; init; }

    internal SettingReader Reader { get; }

    /// <summary>The value as an option takes it; null where there is none.</summary>
    /// <param name="specification">Whose value.</param>
    public string? TextOf(RunSpecification specification) => Write(_get(specification));

    /// <summary>The value as a reader gives it; null where there is none.</summary>
    internal object? ValueOf(RunSpecification specification) => _get(specification);

    /// <summary>What is wrong with a value of the right type, in words that go before "; it must be …"; null when nothing is.</summary>
    internal string? Check(object value) => _check(value);

    internal SpecificationError Error(string wrong) => new(Field, $"{wrong}; it must be {Allowed}");

    internal static string Show(object value) =>
        value is string text ? $"\"{RunSpecificationRules.Shown(text)}\"" : RunSpecificationRules.Shown(Write(value));

    private static string? Write(object? value) =>
        value switch
        {
            null => null,
            bool flag => flag ? "true" : "false",
            IReadOnlyList<object> list => string.Join(',', list.Select(Write)),
            Enum choice => JsonNamingPolicy.CamelCase.ConvertName(choice.ToString()),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture),
        };
}
