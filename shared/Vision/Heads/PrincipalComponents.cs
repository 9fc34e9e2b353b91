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
    private readonly Stack<double[]> _spare = [];

    private PrincipalComponents(Tensor basis, int size, int coordinates, AlignedRows values, int[] labels)
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

    /// <summary>The coordinates of every image, and the one.</summary>
    public AlignedRows Values { get; }

    /// <summary>Classes of the images.</summary>
    public int[] Labels { get; }

    private int Stride => ShapeFor(0).Stride;

    /// <summary>How these features and the weights of some classes lie in memory.</summary>
    public RowShape ShapeFor(int classes) => new(Coordinates + 1, classes);

    /// <summary>Projects features, in place where all directions count: then there are too many of them to hold twice.</summary>
    /// <param name="rows">Features of the images; afterwards <see cref="Values"/>, or of no more use.</param>
    /// <param name="labels">Their classes.</param>
    /// <param name="mean">What is subtracted from the features, one number each.</param>
    /// <param name="std">What they are divided by then.</param>
    /// <param name="device">Where to compute.</param>
    public static PrincipalComponents Create(AlignedRows rows, int[] labels, float[] mean, float[] std, Device device)
    {
        using var scope = NewDisposeScope();
        var size = mean.Length;
        var (shift, scale) = (
            HeadNetwork.Upload(mean, device).to(ScalarType.Float64),
            HeadNetwork.Upload(std, device).to(ScalarType.Float64)
        );
        var covariance = zeros([size, size], ScalarType.Float64, device);
        ForEachPart(
            (first, count) =>
            {
                var part = Standardised(first, count);
                covariance.addmm_(part.t(), part, 1, 1);
            }
        );
        // Further directions than there are images hold nothing.
        var coordinates = Math.Min(rows.Count, size);
        var (_, axes) = SymmetricMatrix.Decompose(covariance.div_(rows.Count));
        var basis = axes.narrow(1, size - coordinates, coordinates).contiguous();
        var values = coordinates == size ? rows : new AlignedRows(rows.Count, coordinates + 1);
        ForEachPart(
            (first, count) =>
            {
                values.View(first, count, 0, coordinates).copy_(Standardised(first, count).mm(basis));
                values.View(first, count, coordinates, 1).fill_(1);
            }
        );
        return new PrincipalComponents(basis.cpu().DetachFromDisposeScope(), size, coordinates, values, labels);

        Tensor Standardised(int first, int count) =>
            rows.View(first, count, 0, size).contiguous().to(device).to(ScalarType.Float64).sub_(shift).div_(scale);

        void ForEachPart(Action<int, int> visit)
        {
            for (var first = 0; first < rows.Count; first += RowsAtOnce)
            {
                using var inner = NewDisposeScope();
                visit(first, Math.Min(RowsAtOnce, rows.Count - first));
            }
        }
    }

    /// <summary>
    /// Room for a row of numbers an image: after the features they are the largest there is, so that all that is solved on these features
    /// shares a few arrays.
    /// </summary>
    /// <param name="columns">Numbers of a row.</param>
    /// <returns>Rows × columns numbers or more, of any values.</returns>
    public double[] Rent(int columns)
    {
        var length = checked(Values.Count * columns);
        while (_spare.TryPop(out var spare))
        {
            if (spare.Length == length)
            {
                return spare;
            }
        }

        return new double[length];
    }

    /// <summary>Takes back what <see cref="Rent"/> gave.</summary>
    public void Return(double[] rented) => _spare.Push(rented);

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
    public void Dispose()
    {
        _basis.Dispose();
        Values.Dispose();
    }

    private static Tensor Matrix(ReadOnlySpan<double> values, int rows) =>
        TensorData.FromValues(values, rows, values.Length / rows).ToTensor();
}
