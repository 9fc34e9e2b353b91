using Distributed.Catalog;
using Distributed.Networks;
using Distributed.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>The bases that runs can name by one word.</summary>
internal static class BackboneEndpoints
{
    public static void MapBackbones(this IEndpointRouteBuilder api) =>
        api.MapGroup("/backbones")
            .WithTags("Backbones")
            .MapRead("", ListAsync)
            .WithSummary("List the bases that a run can name by one word")
            .WithDescription("Those of the program, and those that an operator added. Any other base is named by the path of its file.");

    private static async Task<Ok<IReadOnlyList<BackboneInfo>>> ListAsync(
        BackboneList list,
        Volume volume,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var names = list.All.Select(known => known.Name).ToList();
        var first = (
            await context
                .Backbones.AsNoTracking()
                .Where(row => names.Contains(row.Source) && row.File != null)
                .OrderBy(row => row.CreatedAt)
                .Select(row => new { row.Source, row.File!.Sha256 })
                .ToListAsync(cancellationToken)
        )
            .GroupBy(row => row.Source)
            .ToDictionary(rows => rows.Key, rows => rows.First().Sha256);
        return TypedResults.Ok<IReadOnlyList<BackboneInfo>>([
            .. list.All.Select(known =>
                BackboneInfo.Of(
                    known,
                    known.Sha256 ?? first.GetValueOrDefault(known.Name),
                    known.Url is null || File.Exists(volume.FullPath(known.VolumePath))
                )
            ),
        ]);
    }
}

/// <summary>A base that a run can name by one word.</summary>
/// <param name="Name">The word.</param>
/// <param name="Title">Name of the network for people.</param>
/// <param name="Description">What it is good for.</param>
/// <param name="TrainedOn">Data that it was trained on.</param>
/// <param name="Licence">SPDX identifier of the weights' licence; <c>unknown</c> where nobody says.</param>
/// <param name="InputSize">Height and width of the images that it was made for, pixels.</param>
/// <param name="FeatureSize">Numbers that an image is turned into; null where they are not known before it is loaded.</param>
/// <param name="Parameters">Numbers that were learned, without a classifier; null where they are not known.</param>
/// <param name="Megabytes">Length of the file, about, in millions of bytes; null where it is not known.</param>
/// <param name="Format">Whether it is computed as <c>network</c>, one of the program's own, or comes as an <c>onnx</c> file.</param>
/// <param name="Preprocessing">How pixels are normalised.</param>
/// <param name="Output">Which numbers of an ONNX file the features are; null for a pooled vector, and for networks of the program.</param>
/// <param name="Source">Where the file comes from; null where it is delivered with the program.</param>
/// <param name="Sha256">SHA-256 of the file: as published, else as at its first use here; null where neither is known yet.</param>
/// <param name="IsPublished">Whether the publisher says the SHA-256.</param>
/// <param name="IsHere">Whether the file is at hand, so that a run need not fetch it.</param>
internal sealed record BackboneInfo(
    string Name,
    string Title,
    string Description,
    string TrainedOn,
    string Licence,
    int InputSize,
    int? FeatureSize,
    long? Parameters,
    int? Megabytes,
    string Format,
    string? Preprocessing,
    string? Output,
    string? Source,
    string? Sha256,
    bool IsPublished,
    bool IsHere
)
{
    public static BackboneInfo Of(PretrainedBase known, string? sha256, bool isHere) =>
        new(
            known.Name,
            known.Title,
            known.Description,
            known.TrainedOn,
            known.Licence,
            known.InputSize,
            known.FeatureSize,
            known.Parameters,
            known.Megabytes,
            known.Architecture is null ? "onnx" : "network",
            (known.Preprocessing ?? known.Architecture?.Preprocessing)?.Description,
            known.Output,
            known.Url?.IsFile == false ? known.Url.AbsoluteUri : null,
            sha256,
            known.Sha256 is not null,
            isHere
        );
}
