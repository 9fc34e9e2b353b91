using Distributed.Contracts;
using Distributed.Registry;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;

namespace Distributed.Serving;

/// <summary>What a model says of images whose features are known.</summary>
/// <param name="Classes">Number of classes.</param>
/// <param name="Probabilities">Row-major, [images, classes].</param>
/// <param name="Unusual">For each image, its Mahalanobis distance to the nearest class mean, and the share of training images that are nearer to theirs, 0 to 1; null where nothing says it.</param>
public sealed record PredictedFeatures(int Classes, float[] Probabilities, IReadOnlyList<(double Distance, double Percentile)>? Unusual);

/// <summary>Predicts the images of data sets by their features, with any version of a model.</summary>
/// <param name="registry">Says what a version is.</param>
/// <param name="volume">Where heads are.</param>
/// <param name="evidence">Says how unusual images are.</param>
/// <param name="tensors">Where heads compute.</param>
public sealed class DatasetPredictor(ModelRegistry registry, Volume volume, EvidenceSource evidence, TensorThread tensors)
{
    private readonly ServedModels _models = new(registry, volume);

    /// <summary>Names of a model's classes, in the order of its outputs.</summary>
    /// <param name="model">The version, as NAME@NUMBER.</param>
    /// <param name="modelRunId">The run that made it.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="RegistryException">There is no such version any more.</exception>
    public async Task<IReadOnlyList<string>> ClassNamesAsync(string model, Guid modelRunId, CancellationToken cancellationToken) =>
        (await FindAsync(model, modelRunId, cancellationToken)).ClassNames;

    /// <summary>Predicts images.</summary>
    /// <param name="model">The version, as NAME@NUMBER.</param>
    /// <param name="modelRunId">The run that made it.</param>
    /// <param name="features">The images' features, computed as those of the model's training images were.</param>
    /// <param name="cancellationToken">Stops it between steps.</param>
    /// <exception cref="RegistryException">There is no such version any more.</exception>
    /// <exception cref="StoredFileException">Its head is missing or damaged.</exception>
    public async Task<PredictedFeatures> PredictAsync(
        string model,
        Guid modelRunId,
        FeatureMatrix features,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(features);
        var served = await FindAsync(model, modelRunId, cancellationToken);
        return new PredictedFeatures(
            served.ClassNames.Count,
            await tensors.RunAsync(_ => served.Head.Probabilities(served.Head.Logits(features)), cancellationToken),
            await evidence.MeasureAsync(served, features, cancellationToken)
        );
    }

    private Task<ServedModel> FindAsync(string model, Guid modelRunId, CancellationToken cancellationToken)
    {
        var reference = ModelReference.Parse(model);
        return _models.FindAsync(reference.Name, reference.Number!.Value, modelRunId, cancellationToken);
    }
}
