using Distributed.Catalog;
using Distributed.Networks;
using Distributed.Storage;
using Distributed.Vision.Engines;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;

namespace Distributed.Serving;

/// <summary>Loads the weights that the catalog names, in any worker.</summary>
public sealed class BackboneLoader(Volume volume, BackboneList list)
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
