using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Images;

/// <summary>What a request about images names, found in the catalog.</summary>
internal sealed class ImageRequest(ImageCatalog catalog, IDbContextFactory<CatalogContext> contexts)
{
    /// <summary>The images of a data set, with the splits of a run where one is named.</summary>
    /// <param name="sha256">The data set.</param>
    /// <param name="runId">The run.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>The images and their splits, or why there are none.</returns>
    public async Task<(IngestedImages? Images, ImageSplits? Splits, ProblemHttpResult? Problem)> FindAsync(
        string sha256,
        Guid? runId,
        CancellationToken cancellationToken
    )
    {
        Run? run = null;
        if (runId is { } id)
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            run = await context.Runs.AsNoTracking().SingleOrDefaultAsync(row => row.Id == id, cancellationToken);
            if (run is null || run.DatasetSha256 != sha256)
            {
                return (
                    null,
                    null,
                    NotFound("There is no such run of this data set.", $"No run {id:D} has used the data set {Shown(sha256)}.")
                );
            }
        }

        var images = run is null ? await catalog.FindAsync(sha256, cancellationToken) : await catalog.FindAsync(run, cancellationToken);
        return images is null
            ? (
                null,
                null,
                NotFound("There is no such data set.", $"No complete ingestion has found a data set with the SHA-256 {Shown(sha256)}.")
            )
            : (images, await SplitAsync(images, run, cancellationToken), null);
    }

    /// <summary>The images and the test result of a run.</summary>
    /// <returns>Them, or why there are none.</returns>
    public async Task<(EvaluatedImages? Found, ProblemHttpResult? Problem)> FindEvaluatedAsync(
        Guid runId,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var run = await context.Runs.AsNoTracking().SingleOrDefaultAsync(row => row.Id == runId, cancellationToken);
        if (run is null)
        {
            return (null, Endpoints.RunEndpoints.Unknown(runId));
        }

        var evaluation = await context.Evaluations.AsNoTracking().SingleOrDefaultAsync(row => row.RunId == runId, cancellationToken);
        if (evaluation is null || await catalog.FindAsync(run, cancellationToken) is not { } images)
        {
            return (
                null,
                NotFound(
                    "The run is not evaluated.",
                    run.Model is { } model
                        ? $"Run {runId:D} predicts with {model}, and has no test images; what it predicted is at /api/v1/runs/{runId:D}/predictions.csv."
                        : $"Run {runId:D} has no test result before it is complete."
                )
            );
        }

        return (new EvaluatedImages(run, evaluation, images, await SplitAsync(images, run, cancellationToken)), null);
    }

    /// <summary>Reads the name of a class.</summary>
    /// <param name="parameter">The parameter that names it.</param>
    /// <param name="name">The name; null for none.</param>
    /// <param name="images">The data set.</param>
    /// <param name="errors">Receives what is wrong.</param>
    /// <returns>The label; null where none is named.</returns>
    public static int? ReadClass(string parameter, string? name, IngestedImages images, Dictionary<string, string[]> errors)
    {
        var label = name is null ? null : images.LabelOf(name);
        if (name is not null && label is null)
        {
            var known = images.Manifest.ClassNames;
            errors[parameter] =
            [
                $"is '{Shown(name)}', and is no class of the data set; "
                    + (
                        StrictText.Nearest(name, known) is { } nearest ? $"did you mean {nearest}?"
                        : known.Count == 0 ? "it has none"
                        : $"it has {Shown(string.Join(", ", known.Take(10)))}{(known.Count > 10 ? " …" : "")}"
                    ),
            ];
        }

        return label;
    }

    public static ProblemHttpResult NotFound(string title, string detail) =>
        TypedResults.Problem(title: title, detail: detail, statusCode: StatusCodes.Status404NotFound);

    private static string Shown(string text) => RunSpecificationRules.Shown(text);

    private async Task<ImageSplits> SplitAsync(IngestedImages images, Run? run, CancellationToken cancellationToken) =>
        new(images, run?.Split is null ? null : await catalog.ReadSplitAsync(run, cancellationToken));
}

/// <summary>An evaluated run and its images.</summary>
/// <param name="Run">The run.</param>
/// <param name="Evaluation">Its test result.</param>
/// <param name="Images">Its images.</param>
/// <param name="Splits">Their splits.</param>
internal sealed record EvaluatedImages(Run Run, Evaluation Evaluation, IngestedImages Images, ImageSplits Splits);
