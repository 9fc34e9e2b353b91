using System.Runtime.CompilerServices;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Heads;

/// <summary>
/// The preconditioner for few classes: the curvature is taken for the Kronecker product of the features' mean squares and the mean
/// covariance of the predicted classes, which in principal components it nearly is. It costs the square of the classes.
/// </summary>
internal sealed class ClassPreconditioner : IPreconditioner
{
    private readonly RowShape _shape;
    private readonly double[] _meanSquares;
    private readonly double _penalty;
    private readonly double[] _spreads;
    private readonly double[] _axes;
    private readonly double[] _projected;

    /// <summary>Prepares it at a point.</summary>
    /// <param name="probabilities">[<paramref name="count"/>, <see cref="RowShape.PaddedClasses"/>] and more, predicted at the point.</param>
    /// <param name="count">Images.</param>
    /// <param name="shape">Features, with the one for the bias last, and classes.</param>
    /// <param name="meanSquares">[<see cref="RowShape.Stride"/>], of the features.</param>
    /// <param name="penalty">Positive.</param>
    public ClassPreconditioner(double[] probabilities, int count, RowShape shape, double[] meanSquares, double penalty)
    {
        (_shape, _meanSquares, _penalty) = (shape, meanSquares, penalty);
        _projected = new double[shape.Stride];
        using var scope = torch.NewDisposeScope();
        var own = TensorData
            .CopyOf(probabilities.AsSpan(0, count * shape.PaddedClasses), count, shape.PaddedClasses)
            .narrow(1, 0, shape.Classes);
        var covariance = own.mean([0]).diag().sub_(own.t().mm(own).div_(count));
        var (spreads, axes) = torch.linalg.eigh(covariance);
        (_spreads, _axes) = (spreads.data<double>().ToArray(), axes.contiguous().data<double>().ToArray());
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Apply(double[] residual, double[] result)
    {
        const double smallest = 1e-9;
        var (stride, bias, classes) = (_shape.Stride, _shape.Size - 1, _shape.Classes);
        // Adding the same to all classes changes nothing but the penalty, so that one axis has no spread.
        var least = (smallest * _spreads.Max()) + double.Epsilon;
        Array.Clear(result);
        for (var axis = 0; axis < classes; axis++)
        {
            Array.Clear(_projected);
            for (var label = 0; label < classes; label++)
            {
                Vectors.Axpy(_axes[(label * classes) + axis], residual.AsSpan(label * stride, stride), _projected);
            }

            for (var i = 0; i < bias; i++)
            {
                _projected[i] /= (_meanSquares[i] * Math.Max(_spreads[axis], least)) + _penalty;
            }

            // The same added to all biases changes nothing at all: rounding must not drive them that way.
            _projected[bias] = _spreads[axis] > least ? _projected[bias] / (_meanSquares[bias] * _spreads[axis]) : 0;

            for (var label = 0; label < classes; label++)
            {
                Vectors.Axpy(_axes[(label * classes) + axis], _projected, result.AsSpan(label * stride, stride));
            }
        }
    }
}
