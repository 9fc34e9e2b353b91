using System.Runtime.InteropServices;
using Distributed.Vision.Weights;
using static TorchSharp.torch;

namespace Distributed.Vision.Heads;

/// <summary>
/// The standardised features of training and validation images in the coordinates of their principal components, with a
/// last column of ones for the biases. This change of basis alters neither a linear model nor the norm of its weights; but in these
/// coordinates the features are uncorrelated, so that one number a coordinate tells a solver how far to go.
/// </summary>
internal sealed class PrincipalComponents : IDisposable
{
    private const int RowsAtOnce = 1024;

    private readonly Tensor _basis;

    private PrincipalComponents(Tensor basis, int size, int coordinates, AlignedNumbers<float> values, int[] labels)
    {
        _basis = basis;
        Size = size;
        Coordinates = coordinates;
        Values = values;
        Labels = labels;
    }

    /// <summary>Feature dimension before the projection.</summary>
    public int Size { get; }

    /// <summary>Feature dimension after it: smaller where there are fewer images.</summary>
    public int Coordinates { get; }

    /// <summary>[n, <see cref="RowShape.Stride"/> of the coordinates and the one], <see cref="RowShape.LengthOf"/> numbers: first the training images, then the validation images.</summary>
    public AlignedNumbers<float> Values { get; }

    /// <summary>Classes of the images.</summary>
    public int[] Labels { get; }

    private int Stride => ShapeFor(0).Stride;

    /// <summary>How these features and the weights of some classes lie in memory.</summary>
    public RowShape ShapeFor(int classes) => new(Coordinates + 1, classes);

    /// <summary>Projects the features of data.</summary>
    public static PrincipalComponents Create(FeatureData data, float[] mean, float[] std)
    {
        using var scope = NewDisposeScope();
        int[] order = [.. data.Train, .. data.Validation];
        var device = data.Features.device;
        var (shift, scale) = (
            HeadNetwork.Upload(mean, device).to(ScalarType.Float64),
            HeadNetwork.Upload(std, device).to(ScalarType.Float64)
        );
        var covariance = zeros([data.FeatureSize, data.FeatureSize], ScalarType.Float64, device);
        ForEachPart(
            (first, count) =>
            {
                var part = Standardised(first, count);
                covariance.addmm_(part.t(), part, 1, 1);
            }
        );
        // Further directions than there are images hold nothing.
        var coordinates = Math.Min(order.Length, data.FeatureSize);
        var (_, axes) = SymmetricMatrix.Decompose(covariance.div_(order.Length));
        var basis = axes.narrow(1, data.FeatureSize - coordinates, coordinates).contiguous();
        var shape = new RowShape(coordinates + 1, Classes: 0);
        var stride = shape.Stride;
        var values = new AlignedNumbers<float>(shape.LengthOf(order.Length));
        ForEachPart(
            (first, count) =>
            {
                var part = zeros([count, stride], ScalarType.Float32);
                part.narrow(1, 0, coordinates).copy_(Standardised(first, count).mm(basis));
                part.narrow(1, coordinates, 1).fill_(1);
                MemoryMarshal.Cast<byte, float>(part.bytes).CopyTo(values.Span[(first * stride)..]);
            }
        );
        var labels = data.Labels.index_select(0, AdamTrainer.Rows(order, device)).cpu().data<long>().ToArray();
        return new PrincipalComponents(
            basis.cpu().DetachFromDisposeScope(),
            data.FeatureSize,
            coordinates,
            values,
            Array.ConvertAll(labels, label => (int)label)
        );

        Tensor Standardised(int first, int count) =>
            data
                .Features.index_select(0, AdamTrainer.Rows(order.AsSpan(first, count), device))
                .to(ScalarType.Float64)
                .sub_(shift)
                .div_(scale);

        void ForEachPart(Action<int, int> visit)
        {
            for (var first = 0; first < order.Length; first += RowsAtOnce)
            {
                using var inner = NewDisposeScope();
                visit(first, Math.Min(RowsAtOnce, order.Length - first));
            }
        }
    }

    /// <summary>Projects weights.</summary>
    /// <param name="weights">[classes, features], then a bias a class, as <see cref="HeadLayout"/> has them.</param>
    /// <param name="paddedClasses">Rows of the result.</param>
    /// <returns>[padded classes, stride], every row with its bias.</returns>
    public double[] Project(double[] weights, int paddedClasses)
    {
        var classes = weights.Length / (Size + 1);
        var projected = new double[paddedClasses * Stride];
        using var scope = NewDisposeScope();
        var product = Matrix(weights.AsSpan(0, classes * Size), classes).mm(_basis).data<double>().ToArray();
        for (var label = 0; label < classes; label++)
        {
            product.AsSpan(label * Coordinates, Coordinates).CopyTo(projected.AsSpan(label * Stride));
            projected[(label * Stride) + Coordinates] = weights[(classes * Size) + label];
        }

        return projected;
    }

    /// <summary>The inverse of <see cref="Project"/>.</summary>
    public double[] ProjectBack(double[] projected, int classes)
    {
        var weights = new double[classes * (Size + 1)];
        using var scope = NewDisposeScope();
        var rows = Matrix(projected, projected.Length / Stride).narrow(0, 0, classes).narrow(1, 0, Coordinates);
        rows.mm(_basis.t()).data<double>().CopyTo(weights.AsSpan(0, classes * Size));
        for (var label = 0; label < classes; label++)
        {
            weights[(classes * Size) + label] = projected[(label * Stride) + Coordinates];
        }

        return weights;
    }

    /// <inheritdoc/>
    public void Dispose() => _basis.Dispose();

    private static Tensor Matrix(ReadOnlySpan<double> values, int rows) =>
        TensorData.FromValues(values, rows, values.Length / rows).ToTensor();
}
