using Distributed.Catalog;
using Distributed.Networks;
using Distributed.Storage;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;

namespace Distributed.Serving;

/// <summary>Loads the weights that the catalog names, in any worker.</summary>
public sealed class BackboneLoader(Volume volume)
{
    /// <summary>What <see cref="BackboneSource.Load"/> takes for random weights of a seed.</summary>
    public static string RandomSource(int seed) => FormattableString.Invariant($"{BackboneSource.Random}:{seed}");

    /// <summary>Loads weights.</summary>
    /// <param name="row">What the catalog says of them.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="WeightsException">They are not the ones that the catalog names.</exception>
    /// <exception cref="StoredFileException">The file on the volume is missing or damaged.</exception>
    public async Task<IBackbone> LoadAsync(Backbone row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        if (row.File is { } file)
        {
            // Verified in any case: the next step reads the file too, but its error would not have the file recomputed.
            await volume.VerifyAsync(file, trustedFor: TimeSpan.Zero, cancellationToken);
        }

        var architecture = NetworkArchitecture.ByName(row.Architecture);
        var backbone = (row.File, row.Seed) switch
        {
            ({ } stored, _) => BackboneSource.Load(volume.FullPath(stored.Path), architecture),
            (_, { } seed) => BackboneSource.Load(RandomSource(seed), architecture),
            _ => BackboneSource.Load(BackboneSource.Demo, architecture),
        };
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
