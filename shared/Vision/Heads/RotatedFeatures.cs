using static TorchSharp.torch;

namespace Distributed.Vision;

/// <summary>
/// The standardised features of training and validation images in the coordinates of their principal components, with a
/// last column of ones for the biases. A rotation changes neither a linear model nor the norm of its weights; but in these
/// coordinates the features are uncorrelated, so that one number a coordinate tells a solver how far to go.
/// </summary>
internal sealed class RotatedFeatures : IDisposable
{
    private const int RowsAtOnce = 1024;

    private readonly Tensor _basis;

    private RotatedFeatures(Tensor basis, Tensor values, Tensor labels)
    {
        _basis = basis.DetachFromDisposeScope();
        Values = values.DetachFromDisposeScope();
        Labels = labels.DetachFromDisposeScope();
    }

    /// <summary>float32 [n, coordinates + 1]: first the training images, then the validation images.</summary>
    public Tensor Values { get; }

    /// <summary>int64 [n].</summary>
    public Tensor Labels { get; }

    /// <summary>Rotates the features of data.</summary>
    public static RotatedFeatures Create(FeatureData data, float[] mean, float[] std)
    {
        using var scope = NewDisposeScope();
        var device = data.Features.device;
        int[] order = [.. data.Train, .. data.Validation];
        var (shift, scale) = (HeadNetwork.Upload(mean, device).to(ScalarType.Float64), HeadNetwork.Upload(std, device).to(ScalarType.Float64));
        var covariance = zeros([data.FeatureSize, data.FeatureSize], ScalarType.Float64, device);
        ForEachPart(order.Length, (first, count) =>
        {
            var part = Standardised(first, count);
            covariance.addmm_(part.t(), part, 1, 1);
        });
        // Further directions than there are images hold nothing.
        var kept = Math.Min(order.Length, data.FeatureSize);
        var basis = linalg.eigh(covariance.div_(order.Length)).Item2.narrow(1, data.FeatureSize - kept, kept).contiguous();
        var values = ones([order.Length, kept + 1], ScalarType.Float32, device);
        ForEachPart(order.Length, (first, count) => values.narrow(0, first, count).narrow(1, 0, kept).copy_(Standardised(first, count).mm(basis)));
        return new RotatedFeatures(basis, values, data.Labels.index_select(0, AdamTrainer.Rows(order, device)));

        Tensor Standardised(int first, int count) =>
            data.Features.index_select(0, AdamTrainer.Rows(order.AsSpan(first, count), device)).to(ScalarType.Float64).sub_(shift).div_(scale);
    }

    /// <summary>Weights and biases [features + 1, classes] for standardised features, as they are for rotated ones.</summary>
    public Tensor ToRotated(Tensor weights)
    {
        using var scope = NewDisposeScope();
        var features = weights.shape[0] - 1;
        return cat([_basis.t().mm(weights.narrow(0, 0, features)), weights.narrow(0, features, 1)], 0).MoveToOuterDisposeScope();
    }

    /// <summary>The way back from <see cref="ToRotated"/>.</summary>
    public Tensor ToStandardised(Tensor weights)
    {
        using var scope = NewDisposeScope();
        var coordinates = weights.shape[0] - 1;
        return cat([_basis.mm(weights.narrow(0, 0, coordinates)), weights.narrow(0, coordinates, 1)], 0).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _basis.Dispose();
        Values.Dispose();
        Labels.Dispose();
    }

    private static void ForEachPart(int count, Action<int, int> visit)
    {
        for (var first = 0; first < count; first += RowsAtOnce)
        {
            using var scope = NewDisposeScope();
            visit(first, Math.Min(RowsAtOnce, count - first));
        }
    }
}
