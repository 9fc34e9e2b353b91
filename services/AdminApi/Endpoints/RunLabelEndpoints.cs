using System.Security.Claims;
using System.Text.Json;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.EntityFrameworkCore;
using Microsoft.OpenApi;

namespace Distributed.AdminApi.Endpoints;

/// <summary>How people call a run, which they may change at any time.</summary>
internal static class RunLabelEndpoints
{
    private const int LongestNote = 10_000;

    public static void MapRunLabels(this RouteGroupBuilder runs) =>
        runs.MapPatch("{runId:guid}", ChangeAsync)
            .AddOpenApiOperationTransformer(DescribeBodyAsync)
            .WithSummary("Change a run's name, tags or note")
            .WithDescription(
                "What is left out stays; null removes a name or note. If-Match must name the ETag that GET answers: 428 without it, 412 where somebody else was first."
            )
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status412PreconditionFailed)
            .ProducesProblem(StatusCodes.Status428PreconditionRequired);

    /// <summary>The body is bound as plain JSON, so that what is left out is told from what is null.</summary>
    private static async Task DescribeBodyAsync(
        OpenApiOperation operation,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        var body = operation.RequestBody!.Content!["application/json"];
        body.Schema = await context.GetOrCreateSchemaAsync(typeof(RunLabels), cancellationToken: cancellationToken);
        body.Example = ExampleValues.OfSchema(nameof(RunLabels));
    }

    private static async Task<Results<Ok<RunDetail>, ValidationProblem, ProblemHttpResult>> ChangeAsync(
        Guid runId,
        [FromBody] JsonElement body,
        IDbContextFactory<CatalogContext> contexts,
        RunQueries queries,
        TimeProvider time,
        ClaimsPrincipal user,
        HttpContext http,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var run = await context.Runs.AsNoTracking().SingleOrDefaultAsync(row => row.Id == runId, cancellationToken);
        if (run is null)
        {
            return RunEndpoints.Unknown(runId);
        }

        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var labels = Read(body, new RunLabels(run.Name, run.Tags, run.Note), errors);
        if (errors.Count > 0)
        {
            return TypedResults.ValidationProblem(errors);
        }

        if (EntityTag.Refuse(http.Request, run.Revision, "The run") is { } refused)
        {
            return refused;
        }

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var changed = await context
            .Runs.Where(row => row.Id == runId && row.Revision == run.Revision)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.Name, labels.Name)
                        .SetProperty(r => r.Tags, labels.Tags)
                        .SetProperty(r => r.Note, labels.Note)
                        .SetProperty(r => r.Revision, r => r.Revision + 1),
                cancellationToken
            );
        if (changed == 0)
        {
            return EntityTag.Changed(run.Revision + 1, "The run");
        }

        context.Audit(user.Actor(), AuditAction.RunEdited, $"{runId:D}", time.GetUtcNow().UtcDateTime, Describe(run, labels));
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (await queries.FindAsync(runId, cancellationToken) is not { } detail)
        {
            return RunEndpoints.Unknown(runId);
        }

        http.Response.Headers.ETag = EntityTag.Of(detail.Revision);
        return TypedResults.Ok(detail);
    }

    /// <summary>Reads what is to be changed; name and tags are held to what a specification may have.</summary>
    private static RunLabels Read(JsonElement body, RunLabels present, Dictionary<string, string[]> errors)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            errors["labels"] = ["are no JSON object; give one with name, tags or note"];
            return present;
        }

        foreach (var field in body.EnumerateObject())
        {
            SpecificationError? error = null;
            switch (field.Name)
            {
                case "name":
                    present = present with { Name = (string?)RunSettings.Find("name")!.Read(field.Value, out error) };
                    break;
                case "tags":
                    var tags = (IReadOnlyList<object>?)RunSettings.Find("tags")!.Read(field.Value, out error);
                    present = present with { Tags = [.. (tags ?? []).Cast<string>()] };
                    break;
                case "note" when field.Value.ValueKind == JsonValueKind.Null:
                    present = present with { Note = null };
                    break;
                case "note" when field.Value.ValueKind == JsonValueKind.String && field.Value.GetString() is { } note && IsNote(note):
                    present = present with { Note = note };
                    break;
                case "note":
                    error = new SpecificationError(
                        "note",
                        $"must be a text of at most {LongestNote} characters, none of them a control character but line breaks and tabs"
                    );
                    break;
                default:
                    error = new SpecificationError(
                        RunSpecificationRules.Shown(field.Name),
                        "cannot be changed; name, tags and note can, and what else a run is was decided when it was submitted"
                    );
                    break;
            }

            if (error is not null)
            {
                errors[error.Field] = [error.Message];
            }
        }

        return present;
    }

    private static bool IsNote(string text) =>
        text.Length <= LongestNote && !text.Any(character => char.IsControl(character) && character is not ('\n' or '\r' or '\t'));

    private static string Describe(Run run, RunLabels labels) =>
        string.Join(
            "; ",
            new[]
            {
                labels.Name == run.Name ? null : $"name: {labels.Name ?? "none"}",
                labels.Tags.SequenceEqual(run.Tags, StringComparer.Ordinal)
                    ? null
                    : $"tags: {(labels.Tags.Count == 0 ? "none" : string.Join(", ", labels.Tags))}",
                labels.Note == run.Note ? null : "note",
            }.Where(change => change is not null)
        );
}

/// <summary>How people call a run. What is left out stays as it is.</summary>
/// <param name="Name">Its name; null for none.</param>
/// <param name="Tags">Its labels.</param>
/// <param name="Note">What people should know of it; null for nothing.</param>
public sealed record RunLabels(string? Name, IReadOnlyList<string> Tags, string? Note);
