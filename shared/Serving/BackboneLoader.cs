using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Networks;
using Distributed.Storage;
using Distributed.Vision.Engines;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Serving;

/// <summary>Loads the weights that the catalog names, in any worker.</summary>
public sealed class BackboneLoader(IDbContextFactory<CatalogContext> contexts, Volume volume, BackboneList list)
{
    /// <summary>What <see cref="BackboneSource.Load"/> takes for random weights of a seed.</summary>
    public static string RandomSource(int seed) => FormattableString.Invariant($"{BackboneSource.Random}:{seed}");

    /// <summary>Loads what computes a feature set, in float32 on the processor.</summary>
    /// <exception cref="WeightsException">The weights are not the ones that the catalog names.</exception>
    /// <exception cref="StoredFileException">A file on the volume is missing or damaged.</exception>
    public async Task<IBackbone> LoadAsync(FeatureSet set, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(set);
        return await LoadAsync(set.BackboneSha256, set.Views, set.InputSize, cancellationToken);
    }

    /// <summary>Loads a base, in float32 on the processor.</summary>
    /// <param name="sha256">What identifies it in the catalog.</param>
    /// <param name="views">The views of each image.</param>
    /// <param name="inputSize">Side of what goes through the base, pixels.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="WeightsException">The weights are not the ones that the catalog names.</exception>
    /// <exception cref="StoredFileException">A file on the volume is missing or damaged.</exception>
    public async Task<IBackbone> LoadAsync(string sha256, FeatureViews views, int inputSize, CancellationToken cancellationToken) =>
        ViewedBackbone.Of(await LoadAsync(sha256, cancellationToken), views, inputSize);

    private async Task<IBackbone> LoadAsync(string sha256, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var row = await context.Backbones.AsNoTracking().SingleAsync(backbone => backbone.Sha256 == sha256, cancellationToken);
        if (row.Parts is not { } parts)
        {
            return await LoadAsync(row, cancellationToken);
        }

        var (keys, blocks) = BackboneParts.Read(parts);
        var loaded = new List<IBackbone>();
        try
        {
            foreach (var key in keys)
            {
                loaded.Add(await LoadAsync(key, cancellationToken));
            }
        }
        catch
        {
            loaded.ForEach(part => part.Dispose());
            throw;
        }

        return JoinedBackbone.Create(loaded, blocks, sha256);
    }

    private async Task<IBackbone> LoadAsync(Backbone row, CancellationToken cancellationToken)
    {
        if (row.File is { } file)
        {
            // Verified in any case: the next step reads the file too, but its error would not have the file recomputed.
            await volume.VerifyAsync(file, trustedFor: TimeSpan.Zero, cancellationToken);
        }

        var onnx = row.Settings is { } settings ? OnnxSettings.Read(settings) : null;
        var architecture = onnx is null ? NetworkArchitecture.ByName(row.Architecture) : null;
        var source = (row.File, row.Seed) switch
        {
            ({ } stored, _) => volume.FullPath(stored.Path),
            (_, { } seed) => RandomSource(seed),
            _ => list.Find(row.Source) is { } known && BackboneSource.ShippedPath(known) is { } path
                ? path
                : throw new WeightsException(
                    $"This worker's program has no base '{row.Source}'. Give all Training and Evaluation hosts the same version of the program."
                ),
        };
        var backbone = BackboneSource.Load(source, architecture, title: null, onnx);
        if (backbone.Sha256 != row.Sha256)
        {
            var found = backbone.Sha256;
            backbone.Dispose();
            throw new WeightsException(
                $"This worker's {row.Source} weights have the SHA-256 {found}, and {row.Sha256} was planned with. "
                    + "Give all Training and Evaluation hosts the same version of the program."
            );
        }

        return backbone;
    }
}
