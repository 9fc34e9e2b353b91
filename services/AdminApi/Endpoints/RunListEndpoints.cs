using System.ComponentModel.DataAnnotations;
using Distributed.AdminApi.Listing;
using Distributed.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Distributed.AdminApi.Endpoints;

/// <summary>The list of runs.</summary>
internal static class RunListEndpoints
{
    /// <summary>Most entries of any page.</summary>
    public const int MostPerPage = 500;

    public static void MapRunList(this RouteGroupBuilder runs)
    {
        runs.MapRead("", ListAsync)
            .WithSummary("List runs, the latest first, or sorted and filtered by any setting and metric")
            .WithDescription(
                "where is a field, one of = != > >= < <= ~ (contains), and a value: backbone=resnet18, accuracy>=0.9, submitted>=2026-01-02; several are joined by and, and FIELD= asks for runs without a value. sort is a field, with a minus before it for the greatest first; runs without a value come last. state, tag, name and dataset are short for filters. Pages follow each other by next and after, whatever comes or ends meanwhile."
            );
        runs.MapRead("fields", () => TypedResults.Ok(new RunFieldList([.. RunFields.All.Select(RunFieldDescription.Of)])))
            .WithSummary("What runs can be filtered and sorted by");
    }

    private static async Task<Results<Ok<RunPage>, ValidationProblem>> ListAsync(
        RunList list,
        CancellationToken cancellationToken,
        [FromQuery, EnumDataType(typeof(RunState))] string? state = null,
        [FromQuery] string? tag = null,
        [FromQuery] string? name = null,
        [FromQuery] string? dataset = null,
        [FromQuery] string[]? where = null,
        [FromQuery] string? sort = null,
        [FromQuery] string? after = null,
        [FromQuery, Range(1, MostPerPage)] int limit = 50
    )
    {
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (RunListQuery.Read(where, sort, errors) is not { } query)
        {
            return TypedResults.ValidationProblem(errors);
        }

        query = query.With(
            new[] { ("state", "=", state), ("tags", "=", tag), ("name", "~", name), ("datasetSha256", "=", dataset) }
                .Where(one => one.Item3 is not null)
                .Select(one => RunListQuery.Condition(one.Item1, one.Item2, one.Item3!))
        );
        RunPosition? from = null;
        if (after is not null && (from = RunCursor.Read(after, query)) is null)
        {
            errors["after"] =
            [
                $"is '{RunSpecificationRules.Shown(after)}', and ends no page of this list; give a page's next, with the same sort",
            ];
            return TypedResults.ValidationProblem(errors);
        }

        return TypedResults.Ok(await list.ReadAsync(query, from, limit, cancellationToken));
    }
}

/// <summary>What runs can be filtered and sorted by.</summary>
/// <param name="Items">The fields.</param>
public sealed record RunFieldList(IReadOnlyList<RunFieldDescription> Items);

/// <summary>Something that runs can be filtered by, and perhaps sorted.</summary>
/// <param name="Name">Its name in <c>where</c> and <c>sort</c>.</param>
/// <param name="Source">Where its value is from.</param>
/// <param name="Type">What its values are: text, wholeNumber, number, flag, choice, list or time.</param>
/// <param name="Help">What it is.</param>
/// <param name="Allowed">What its values must be.</param>
/// <param name="Choices">The names that it is one of; empty where it is no choice.</param>
/// <param name="Operators">What it can be compared by.</param>
/// <param name="CanSort">Whether runs can be sorted by it.</param>
public sealed record RunFieldDescription(
    string Name,
    RunFieldSource Source,
    string Type,
    string Help,
    string Allowed,
    IReadOnlyList<string> Choices,
    IReadOnlyList<string> Operators,
    bool CanSort
)
{
    internal static RunFieldDescription Of(RunField field) =>
        new(field.Name, field.Source, field.Type, field.Help, field.Allowed, field.Choices, field.Operators, field.CanSort);
}
