using System.Linq.Expressions;
using System.Text.RegularExpressions;
using Distributed.Contracts;

namespace Distributed.AdminApi.Listing;

/// <summary>A condition of a filter.</summary>
/// <param name="Field">What is compared.</param>
/// <param name="IsPresence">Whether only runs that have a value can meet it.</param>
/// <param name="Predicate">The condition.</param>
internal sealed record RunCondition(RunField Field, bool IsPresence, Expression<Func<RunRow, bool>> Predicate);

/// <summary>Which runs to list, and in which order.</summary>
/// <param name="Conditions">All of them must hold.</param>
/// <param name="OrderBy">What they are sorted by.</param>
/// <param name="IsDescending">Whether the greatest comes first; runs without a value come last in any case.</param>
internal sealed partial record RunListQuery(IReadOnlyList<RunCondition> Conditions, RunField OrderBy, bool IsDescending)
{
    /// <summary>The most conditions of a list.</summary>
    public const int MostConditions = 20;

    private const int LongestCondition = 5_000;

    /// <summary>The order as a request names it.</summary>
    public string Sort => (IsDescending ? "-" : "") + OrderBy.Name;

    /// <summary>Whether a metric is asked for, so that results must be joined.</summary>
    public bool UsesMetrics =>
        OrderBy.Source == RunFieldSource.Metric || Conditions.Any(condition => condition.Field.Source == RunFieldSource.Metric);

    /// <summary>Whether there may be runs that have no value to be sorted by.</summary>
    public bool MayLackValue =>
        OrderBy is not { IsAlwaysThere: true, Source: RunFieldSource.Run }
        && !Conditions.Any(condition =>
            condition.IsPresence
            && (
                condition.Field == OrderBy
                // Who has one metric of a result has all that every result has.
                || (OrderBy is { IsAlwaysThere: true, Source: RunFieldSource.Metric } && condition.Field.Source == RunFieldSource.Metric)
            )
        );

    /// <summary>Reads filters and order.</summary>
    /// <param name="where">The filters, such as <c>backbone=resnet18</c> or <c>accuracy>=0.9</c>.</param>
    /// <param name="sort">The field to sort by, with a minus before it for the greatest first; null for the latest first.</param>
    /// <param name="errors">Receives everything that is wrong, by the name of the parameter.</param>
    /// <returns>Null where something is.</returns>
    public static RunListQuery? Read(IReadOnlyList<string>? where, string? sort, Dictionary<string, string[]> errors)
    {
        var (conditions, wrong) = (new List<RunCondition>(), new List<string>());
        foreach (var text in where ?? [])
        {
            if (ReadCondition(text, out var error) is { } condition)
            {
                conditions.Add(condition);
            }
            else
            {
                wrong.Add($"is '{RunSpecificationRules.Shown(text)}': {error}");
            }
        }

        if (where is { Count: > MostConditions })
        {
            wrong = [$"is given {where.Count} times; at most {MostConditions} are allowed"];
        }

        if (wrong.Count > 0)
        {
            errors["where"] = [.. wrong];
        }

        var isDescending = sort is null or ['-', ..];
        var name = sort?.TrimStart('-') ?? RunFields.Usual;
        var field = RunFields.Find(name);
        if (field is not { CanSort: true })
        {
            errors["sort"] =
            [
                field is null
                    ? $"is '{RunSpecificationRules.Shown(sort!)}': {RunFields.Unknown(name)}"
                    : $"is '{RunSpecificationRules.Shown(sort!)}': runs have no order by {name}; GET /api/v1/runs/fields says by which they have one",
            ];
        }

        return errors.Count == 0 ? new RunListQuery(conditions, field!, isDescending) : null;
    }

    /// <summary>The filters that stand for the parameters of their own that some have.</summary>
    public RunListQuery With(IEnumerable<RunCondition> more) => this with { Conditions = [.. Conditions, .. more] };

    /// <summary>A condition for a value that was checked already.</summary>
    public static RunCondition Condition(string field, string operation, string value)
    {
        var of = RunFields.Find(field)!;
        return new RunCondition(of, IsPresence: true, of.Compare(operation, value, out _)!);
    }

    private static RunCondition? ReadCondition(string text, out string error)
    {
        const string Form = "a filter is a field, one of = != > >= < <= ~, and a value, such as accuracy>=0.9";
        if (text.Length > LongestCondition || ConditionForm().Match(text) is not { Success: true } parts)
        {
            error = Form;
            return null;
        }

        var (name, operation, value) = (parts.Groups["field"].Value, parts.Groups["operation"].Value, parts.Groups["value"].Value);
        if (RunFields.Find(name) is not { } field)
        {
            error = RunFields.Unknown(name);
            return null;
        }

        if (!field.Operators.Contains(operation))
        {
            error = $"{name} is a {field.Type} and cannot be compared by {operation}; it can by {string.Join(' ', field.Operators)}";
            return null;
        }

        if (field.Compare(operation, value, out var wrong) is not { } predicate)
        {
            error = $"the value {wrong}; it must be {field.Allowed}";
            return null;
        }

        error = "";
        var asksForNone = operation == "=" && value.Length == 0;
        var asksForOthers = operation == "!=" && value.Length > 0;
        return new RunCondition(field, IsPresence: !asksForNone && !asksForOthers, predicate);
    }

    [GeneratedRegex(
        @"\A(?<field>[A-Za-z][A-Za-z0-9.]*)(?<operation>!=|>=|<=|=|>|<|~)(?<value>.*)\z",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex ConditionForm();
}
