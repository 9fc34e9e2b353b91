using System.Text.Json;
using System.Text.Json.Serialization;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Networks;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Registry;

/// <summary>
/// Where a version of a model comes from: complete enough to repeat it, and kept whatever becomes of the catalog's other rows.
/// </summary>
public sealed record ModelLineage
{
    /// <summary>The run that made it.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The run's name.</summary>
    public string? RunName { get; init; }

    /// <summary>When the run was submitted (UTC).</summary>
    public required DateTime SubmittedAt { get; init; }

    /// <summary>The run's specification, defaults included.</summary>
    public required JsonElement Specification { get; init; }

    /// <summary>The command that submits the same run.</summary>
    public required string CommandLine { get; init; }

    /// <summary>JSON: processor, threads, device, versions of program and libraries that trained the head.</summary>
    public JsonElement? Environment { get; init; }

    /// <summary>What it learned from.</summary>
    public required DatasetLineage Dataset { get; init; }

    /// <summary>The frozen base.</summary>
    public required BackboneLineage Backbone { get; init; }

    /// <summary>How images become features.</summary>
    public required FeatureLineage Features { get; init; }

    /// <summary>SHA-256 of the head's file.</summary>
    public required string HeadSha256 { get; init; }

    /// <summary>How it did on the test images.</summary>
    public required ModelMetrics Metrics { get; init; }

    /// <summary>Reads what <see cref="Write"/> made, in this version or another one.</summary>
    public static ModelLineage Read(string text) => JsonSerializer.Deserialize<ModelLineage>(text, JsonSerializerOptions.Web)!;

    /// <summary>The lineage as JSON.</summary>
    public string Write() => JsonSerializer.Serialize(this, JsonSerializerOptions.Web);

    /// <summary>Reads the lineage of a completed run.</summary>
    /// <returns>The lineage, and the head's file; null where the run is not complete.</returns>
    internal static async Task<(ModelLineage Lineage, Checkpoint Head)?> ReadAsync(
        CatalogContext context,
        Guid runId,
        CancellationToken cancellationToken
    )
    {
        var found = await (
            from run in context.Runs.Where(row => row.Id == runId && row.State == RunState.Completed)
            join evaluation in context.Evaluations on run.Id equals evaluation.RunId
            join dataset in context.Datasets on run.DatasetSha256 equals dataset.Sha256
            join set in context.FeatureSets on run.FeatureSetKey equals set.Key
            join backbone in context.Backbones on set.BackboneSha256 equals backbone.Sha256
            join ingestion in context.Ingestions on run.IngestionKey equals ingestion.Key
            select new
            {
                run,
                evaluation,
                dataset,
                set,
                backbone,
                ingestion.Summary,
                ingestion.Decoding,
                ingestion.CropShare,
                ingestion.Resampling,
            }
        )
            .AsNoTracking()
            .SingleOrDefaultAsync(cancellationToken);
        if (found is null)
        {
            return null;
        }

        var classes = await context
            .ClassMetrics.Where(metric => metric.RunId == runId)
            .OrderBy(metric => metric.Label)
            .Select(metric => metric.ClassName)
            .ToListAsync(cancellationToken);
        var head = await context.BestHeads(runId).AsNoTracking().FirstAsync(cancellationToken);
        var specification = found.run.ReadSpecification();
        return (
            new ModelLineage
            {
                RunId = runId,
                RunName = found.run.Name,
                SubmittedAt = found.run.SubmittedAt,
                Specification = Parse(ContractJson.Write(specification)),
                CommandLine = RunCommandLine.Write(specification),
                Environment = found.run.Environment is { } environment ? Parse(environment) : null,
                Dataset = new DatasetLineage(
                    found.dataset.Sha256,
                    found.Summary?.Name ?? found.dataset.Name,
                    found.Summary?.Source ?? specification.Dataset,
                    classes,
                    found.run.TrainImages ?? 0,
                    found.run.ValidationImages ?? 0,
                    found.run.TestImages ?? 0,
                    found.run.Split!.Sha256
                ),
                Backbone = new BackboneLineage(
                    found.backbone.Sha256,
                    found.backbone.Architecture,
                    found.backbone.Source,
                    found.backbone.Origin,
                    found.backbone.Seed,
                    await LicenceOfAsync(context, found.backbone, cancellationToken)
                ),
                Features = new FeatureLineage(
                    found.set.Key,
                    found.set.InputSize,
                    ChoiceName.Of(specification.Fit),
                    found.set.Preprocessing,
                    ChoiceName.Of(found.set.Precision),
                    found.set.ExtractorVersion,
                    ChoiceName.Of(found.Decoding),
                    found.CropShare,
                    ChoiceName.Of(found.Resampling),
                    found.set.Flip,
                    ChoiceName.Of(found.set.Crops)
                ),
                HeadSha256 = found.evaluation.HeadSha256,
                Metrics = ModelMetrics.Of(found.evaluation),
            },
            head
        );
    }

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    /// <returns>Null where one of them is not known.</returns>
    private static async Task<string?> LicenceOfAsync(CatalogContext context, Backbone backbone, CancellationToken cancellationToken)
    {
        if (backbone.Parts is not { } parts)
        {
            return LicenceOf(backbone);
        }

        var keys = BackboneParts.Read(parts).Sha256;
        var rows = await context.Backbones.AsNoTracking().Where(row => keys.Contains(row.Sha256)).ToListAsync(cancellationToken);
        string?[] licences = [.. rows.Select(LicenceOf).Distinct().Order(StringComparer.Ordinal)];
        return licences.Contains(null) ? null : string.Join(" and ", licences);
    }

    /// <summary>Of weights in somebody's file, only that person knows.</summary>
    private static string? LicenceOf(Backbone backbone) =>
        backbone.Source == PretrainedBases.Random ? "of this program" : PretrainedBases.Identify(backbone.Source, backbone.Sha256)?.Licence;
}

/// <summary>The data set of a model.</summary>
/// <param name="Sha256">Over its images, labels, given splits and class names.</param>
/// <param name="Name">What people call it.</param>
/// <param name="Source">Where it was read from.</param>
/// <param name="Classes">Names of its classes, in the order of the model's outputs.</param>
/// <param name="TrainImages">Images that the head learned from.</param>
/// <param name="ValidationImages">Images that chose its settings.</param>
/// <param name="TestImages">Images that measured it.</param>
/// <param name="SplitSha256">SHA-256 of the index lists of the splits.</param>
public sealed record DatasetLineage(
    string Sha256,
    string Name,
    string Source,
    IReadOnlyList<string> Classes,
    int TrainImages,
    int ValidationImages,
    int TestImages,
    string SplitSha256
);

/// <summary>The frozen base of a model.</summary>
/// <param name="Sha256">SHA-256 of its weights.</param>
/// <param name="Architecture">The network.</param>
/// <param name="Source">What the specification called it.</param>
/// <param name="Origin">One line for people.</param>
/// <param name="Seed">Seed of random weights.</param>
/// <param name="Licence">Licence of the weights, as an SPDX identifier where there is one; null where it is not known.</param>
public sealed record BackboneLineage(string Sha256, string Architecture, string Source, string Origin, int? Seed, string? Licence);

/// <summary>How a model's images become features.</summary>
/// <param name="Key">Key of the feature set.</param>
/// <param name="InputSize">Side in pixels of what goes through the base.</param>
/// <param name="Fit">How an image that is no square becomes one.</param>
/// <param name="Preprocessing">Resampling and normalisation, as one text.</param>
/// <param name="Precision">Arithmetic.</param>
/// <param name="ExtractorVersion">Version of the extraction.</param>
/// <param name="Decoding">How JPEGs are decoded that are several times the input size; of earlier versions, which do not say, in full.</param>
/// <param name="CropShare">Share of the shorter side that stays where a middle is cut out.</param>
/// <param name="Resampling">How images are resampled.</param>
/// <param name="Flip">Whether the features of mirror images are averaged in.</param>
/// <param name="Crops">What of an image's square goes through the base.</param>
public sealed record FeatureLineage(
    string Key,
    int InputSize,
    string Fit,
    string Preprocessing,
    string Precision,
    int ExtractorVersion,
    string Decoding = "full",
    double CropShare = 1,
    string Resampling = "bicubic",
    bool Flip = false,
    string Crops = "whole"
)
{
    /// <summary>The views of each image.</summary>
    [JsonIgnore]
    public FeatureViews Views => new(Flip, ChoiceName.Parse<ImageCrops>(Crops));

    /// <summary>What becomes of an image before: its size is that of the square that views are cut of.</summary>
    [JsonIgnore]
    public ImagePreparation Preparation =>
        new(Views.SquareOf(InputSize), ChoiceName.Parse<FitMode>(Fit), ChoiceName.Parse<JpegDecoding>(Decoding))
        {
            CropShare = CropShare,
            Resampling = ChoiceName.Parse<ResampleFilter>(Resampling),
        };
}

/// <summary>How a model did on its test images.</summary>
/// <param name="TestImages">Images.</param>
/// <param name="Accuracy">Share that was right; 0 to 1.</param>
/// <param name="AccuracyLow">Lower end of its 95 % Wilson interval.</param>
/// <param name="AccuracyHigh">Upper end of its 95 % Wilson interval.</param>
/// <param name="Loss">Mean cross-entropy.</param>
/// <param name="MacroF1">Mean of the classes' F1.</param>
/// <param name="CalibrationError">Expected calibration error; 0 to 1.</param>
/// <param name="UnleakedAccuracy">Accuracy without test images that have a near duplicate among training images.</param>
public sealed record ModelMetrics(
    int TestImages,
    double Accuracy,
    double AccuracyLow,
    double AccuracyHigh,
    double Loss,
    double MacroF1,
    double CalibrationError,
    double? UnleakedAccuracy
)
{
    internal static ModelMetrics Of(Evaluation evaluation) =>
        new(
            evaluation.TestImages,
            evaluation.TestAccuracy,
            evaluation.TestAccuracyLow,
            evaluation.TestAccuracyHigh,
            evaluation.TestLoss,
            evaluation.MacroF1,
            evaluation.CalibrationError,
            evaluation.UnleakedAccuracy
        );
}
