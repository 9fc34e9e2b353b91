using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Imaging;
using Distributed.Imaging;
using Distributed.Registry;
using Distributed.Storage;
using Distributed.Vision.Heads;

namespace Distributed.Serving;

/// <summary>What makes the features of images: models that agree in it share a forward pass.</summary>
/// <param name="BackboneSha256">The weights.</param>
/// <param name="Precision">The arithmetic.</param>
/// <param name="Images">What becomes of each image before.</param>
/// <param name="InputSize">Side of what goes through the base, in pixels.</param>
/// <param name="Views">The views of each image.</param>
internal sealed record FeatureKey(string BackboneSha256, Precision Precision, ImagePreparation Images, int InputSize, FeatureViews Views);

/// <summary>A version of a model that is ready to predict.</summary>
/// <param name="Version">What the registry says of it.</param>
/// <param name="ClassNames">Names of its classes.</param>
/// <param name="Features">What makes its features.</param>
/// <param name="Head">Its head.</param>
internal sealed record ServedModel(ModelVersion Version, IReadOnlyList<string> ClassNames, FeatureKey Features, TrainedHead Head);

/// <summary>Loads versions of models and keeps the latest ones: a version never changes.</summary>
internal sealed class ServedModels(ModelRegistry registry, Volume volume)
{
    private const int MostKept = 64;

    private readonly LatestUsed<(string Model, int Version, Guid RunId), ServedModel> _models = new(MostKept);

    /// <summary>Finds a version.</summary>
    /// <exception cref="RegistryException">There is none.</exception>
    /// <exception cref="StoredFileException">Its head is missing or damaged.</exception>
    public Task<ServedModel> FindAsync(string model, int version, Guid runId, CancellationToken cancellationToken) =>
        _models.GetAsync((model, version, runId), token => LoadAsync(model, version, runId, token), cancellationToken);

    private async Task<ServedModel> LoadAsync(string model, int number, Guid runId, CancellationToken cancellationToken)
    {
        var version = await registry.ResolveAsync(new ModelReference(model, FormattableString.Invariant($"{number}")), cancellationToken);
        if (version.RunId != runId)
        {
            throw new RegistryException(
                RegistryProblem.NotFound,
                $"The model {model} was deleted and registered again meanwhile. Send the request again."
            );
        }

        var lineage = ModelLineage.Read(version.Lineage);
        var head = TrainedHead.Load(await volume.ReadAllBytesAsync(version.Head, cancellationToken), version.Head.Path);
        return new ServedModel(
            version,
            lineage.Dataset.Classes,
            new FeatureKey(
                lineage.Backbone.Sha256,
                ChoiceName.Parse<Precision>(lineage.Features.Precision),
                lineage.Features.Preparation,
                lineage.Features.InputSize,
                lineage.Features.Views
            ),
            head
        );
    }
}
