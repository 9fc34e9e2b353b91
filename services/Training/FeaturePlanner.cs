using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Imaging;
using Distributed.Jobs;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TorchSharp;

namespace Distributed.Training;

/// <summary>Decides once how the features of a data set are computed; all workers follow what is decided.</summary>
internal sealed class FeaturePlanner(
    IDbContextFactory<CatalogContext> contexts,
    AutotuningCache autotuning,
    TensorDevice device,
    IOptions<TrainingOptions> options,
    TimeProvider time
)
{
    /// <summary>Counts up when decoding or extraction gives other features for the same images.</summary>
    public const int ExtractorVersion = 5;
    private const int NativeSize = 96;
    private const int ShardGranule = 32;

    /// <summary>Some seconds of work for a processor, and as much for a GPU as makes the cost of a job small beside it.</summary>
    private const int ShardImagesOfProcessor = 512,
        ShardImagesOfGpu = 4096;

    /// <summary>Plans the feature set that a run needs.</summary>
    public async Task<FeatureSet> PlanAsync(
        Run run,
        RunSpecification specification,
        DatasetManifest manifest,
        IBackbone backbone,
        CancellationToken cancellationToken
    )
    {
        var preprocessing = $"{specification.Preparation.Description};{backbone.Normalisation}{specification.Views.Description}";
        var usualBatch = FeatureExtractor.DefaultBatchSizeFor(specification.InputSize, device.Device.type);
        var (precision, batchSize) = specification.Precision is { } asked
            ? (asked, usualBatch)
            : await FindChoiceAsync(manifest.Sha256, backbone.Sha256, preprocessing, cancellationToken)
                ?? await MeasureAsync(backbone, specification.InputSize, cancellationToken);
        return Create(
            run,
            manifest,
            new Extraction(
                backbone.Sha256,
                backbone.FeatureSize,
                preprocessing,
                precision,
                specification.InputSize,
                specification.Views,
                batchSize
            )
        );
    }

    /// <summary>Plans features that are computed as those of a model's images were.</summary>
    public FeatureSet PlanLike(FeatureSet model, Run run, DatasetManifest manifest) =>
        Create(
            run,
            manifest,
            new Extraction(
                model.BackboneSha256,
                model.FeatureSize,
                model.Preprocessing,
                model.Precision,
                model.InputSize,
                model.Views,
                FeatureExtractor.DefaultBatchSizeFor(model.InputSize, device.Device.type)
            )
        );

    private FeatureSet Create(Run run, DatasetManifest manifest, Extraction how)
    {
        var images = manifest.Images.Count;
        var shardSize = ChooseShardSize(how.InputSize, how.Views.Count);
        return new FeatureSet
        {
            Key = ContentKey.Of(
                "features",
                manifest.Sha256,
                how.BackboneSha256,
                how.Preprocessing,
                ChoiceName.Of(how.Precision),
                $"{ExtractorVersion}"
            ),
            DatasetSha256 = manifest.Sha256,
            IngestionKey = run.IngestionKey!,
            BackboneSha256 = how.BackboneSha256,
            Preprocessing = how.Preprocessing,
            Precision = how.Precision,
            ExtractorVersion = ExtractorVersion,
            InputSize = how.InputSize,
            Flip = how.Views.Flip,
            Crops = how.Views.Crops,
            BatchSize = how.BatchSize,
            ImageCount = images,
            FeatureSize = how.FeatureSize,
            ShardSize = shardSize,
            ShardCount = (images + shardSize - 1) / shardSize,
            CreatedAt = time.GetUtcNow().UtcDateTime,
        };
    }

    /// <summary>Independent of the batch, so that a data set is cut alike whichever batch is faster.</summary>
    private int ChooseShardSize(int inputSize, int views)
    {
        var native = options.Value.ShardImages ?? (device.Device.type == DeviceType.CUDA ? ShardImagesOfGpu : ShardImagesOfProcessor);
        var images = native * NativeSize * NativeSize / (inputSize * inputSize * views);
        return Math.Max(1, images / ShardGranule) * ShardGranule;
    }

    private async Task<(Precision Precision, int BatchSize)?> FindChoiceAsync(
        string datasetSha256,
        string backboneSha256,
        string preprocessing,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var known = await context
            .FeatureSets.AsNoTracking()
            .Where(set =>
                set.DatasetSha256 == datasetSha256
                && set.BackboneSha256 == backboneSha256
                && set.Preprocessing == preprocessing
                && set.ExtractorVersion == ExtractorVersion
            )
            // Those whose shards are all there first.
            .OrderBy(set =>
                context.Jobs.Any(job => job.Kind == nameof(ExtractFeatures) && job.Scope == set.Key && job.State != JobState.Done)
            )
            .ThenBy(set => set.CreatedAt)
            .Select(set => new { set.Precision, set.BatchSize })
            .FirstOrDefaultAsync(cancellationToken);
        return known is null ? null : (known.Precision, known.BatchSize);
    }

    private async Task<(Precision Precision, int BatchSize)> MeasureAsync(IBackbone backbone, int size, CancellationToken cancellationToken)
    {
        var choice = await autotuning.MeasureAsync(backbone, size, cancellationToken);
        return (choice.Precision, choice.BatchSize);
    }

    private sealed record Extraction(
        string BackboneSha256,
        int FeatureSize,
        string Preprocessing,
        Precision Precision,
        int InputSize,
        FeatureViews Views,
        int BatchSize
    );
}
