using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using TorchSharp;

namespace Distributed.Vision;

/// <summary>
/// Nearly the inverse of the curvature of loss plus penalty: the curvature is taken for the Kronecker product of the features' mean
/// squares and the mean covariance of the predicted classes, which in rotated features it nearly is.
/// Of the covariance only blocks of <see cref="BlockClasses"/> classes are kept, so that time and memory grow with the classes and not
/// with their square. What blocks cannot know is that directions which add the same to all classes lead nowhere; those are left out exactly,
/// by the inverse on the others alone (a Schur complement of rank one for each feature).
/// </summary>
internal sealed class ClassPreconditioner
{
    /// <summary>Classes whose covariances are kept together.</summary>
    public const int BlockClasses = 16;

    private readonly RowShape _shape;
    private readonly double[] _meanSquares;
    private readonly double _penalty;
    private readonly ThreadTeam _team;
    private readonly Block[] _blocks;
    private readonly double[] _ofOnes;
    private readonly double[] _shares;
    private readonly double[] _totals;

    /// <summary>Prepares it at a point.</summary>
    /// <param name="probabilities">[count, <see cref="RowShape.PaddedClasses"/>], predicted at the point.</param>
    /// <param name="count">Images.</param>
    /// <param name="shape">Features, with the one for the bias last, and classes.</param>
    /// <param name="meanSquares">[<see cref="RowShape.Stride"/>], of the features.</param>
    /// <param name="penalty">Positive.</param>
    /// <param name="team">Threads to use; they do not change a bit.</param>
    public ClassPreconditioner(double[] probabilities, int count, RowShape shape, double[] meanSquares, double penalty, ThreadTeam team)
    {
        _shape = shape;
        _meanSquares = meanSquares;
        _penalty = penalty;
        _team = team;
        _blocks = [.. Enumerable.Range(0, (shape.Classes + BlockClasses - 1) / BlockClasses).Select(i => Block.Create(probabilities, count, shape, i * BlockClasses))];
        (_ofOnes, _shares, _totals) = ([], [], []);
        if (_blocks.Length > 1)
        {
            (_shares, _totals) = (new double[shape.Stride], new double[shape.Stride]);
            _ofOnes = new double[shape.Length];
            var ones = new double[shape.Length];
            Array.Fill(ones, 1, 0, shape.Classes * shape.Stride);
            Array.ForEach(_blocks, block => Apply(block, ones, _ofOnes));
            AddUp(_shares);
        }
    }

    /// <summary>Multiplies with the inverse.</summary>
    /// <param name="residual">[<see cref="RowShape.PaddedClasses"/>, <see cref="RowShape.Stride"/>], like the weights.</param>
    /// <param name="result">Receives the product, like it.</param>
    public void Apply(double[] residual, double[] result)
    {
        if (_blocks.Length == 1)
        {
            Array.Clear(result);
            Apply(_blocks[0], residual, result);
            return;
        }

        _team.Run(_blocks.Length, i =>
        {
            Rows(_blocks[i], result).Clear();
            Apply(_blocks[i], residual, result);
        });
        AddUp(_totals);
        for (var i = 0; i < _totals.Length; i++)
        {
            _totals[i] = _shares[i] > 0 ? -_totals[i] / _shares[i] : 0;
        }

        _team.Run(_blocks.Length, i =>
        {
            for (var label = _blocks[i].First; label < _blocks[i].First + _blocks[i].Classes; label++)
            {
                var row = result.AsSpan(label * _shape.Stride, _shape.Stride);
                TensorPrimitives.MultiplyAdd(_ofOnes.AsSpan(label * _shape.Stride, _shape.Stride), _totals, row, row);
            }
        });
    }

    private Span<double> Rows(Block block, double[] values) => values.AsSpan(block.First * _shape.Stride, block.Classes * _shape.Stride);

    /// <summary>Adds up what the blocks came to, in their order.</summary>
    private void AddUp(double[] totals)
    {
        Array.Clear(totals);
        foreach (var block in _blocks)
        {
            TensorPrimitives.Add(totals, block.Total, totals);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Apply(Block block, double[] residual, double[] result)
    {
        const double smallest = 1e-9;
        var (stride, bias, classes) = (_shape.Stride, _shape.Size - 1, block.Classes);
        // Adding the same to all classes changes nothing but the penalty, so that one axis has no spread.
        var least = (smallest * block.Spreads.Max()) + double.Epsilon;
        var rotated = block.Rotated;
        for (var axis = 0; axis < classes; axis++)
        {
            Array.Clear(rotated);
            for (var label = 0; label < classes; label++)
            {
                Vectors.Axpy(block.Axes[(label * classes) + axis], residual.AsSpan((block.First + label) * stride, stride), rotated);
            }

            for (var i = 0; i < bias; i++)
            {
                rotated[i] /= (_meanSquares[i] * Math.Max(block.Spreads[axis], least)) + _penalty;
            }

            // The same added to all biases changes nothing at all: rounding must not drive them that way.
            rotated[bias] = block.Spreads[axis] > least ? rotated[bias] / (_meanSquares[bias] * block.Spreads[axis]) : 0;

            for (var label = 0; label < classes; label++)
            {
                Vectors.Axpy(block.Axes[(label * classes) + axis], rotated, result.AsSpan((block.First + label) * stride, stride));
            }
        }

        if (_shape.Classes > classes)
        {
            Array.Clear(block.Total);
            for (var label = block.First; label < block.First + classes; label++)
            {
                TensorPrimitives.Add(block.Total, result.AsSpan(label * stride, stride), block.Total);
            }
        }
    }

    /// <summary>Eigenvalues and eigenvectors, in columns, of the mean over the images of the covariance of some predicted classes.</summary>
    private sealed record Block(int First, int Classes, double[] Spreads, double[] Axes, double[] Rotated, double[] Total)
    {
        public static Block Create(double[] probabilities, int count, RowShape shape, int first)
        {
            var classes = Math.Min(BlockClasses, shape.Classes - first);
            var columns = Math.Min(BlockClasses, shape.PaddedClasses - first);
            var copied = new double[count * columns];
            for (var row = 0; row < count; row++)
            {
                probabilities.AsSpan((row * shape.PaddedClasses) + first, columns).CopyTo(copied.AsSpan(row * columns));
            }

            using var scope = torch.NewDisposeScope();
            var own = TensorData.FromValues(copied, count, columns).ToTensor().narrow(1, 0, classes);
            var covariance = own.mean([0]).diag().sub_(own.t().mm(own).div_(count));
            var (spreads, axes) = torch.linalg.eigh(covariance);
            return new Block(first, classes, spreads.data<double>().ToArray(), axes.contiguous().data<double>().ToArray(), new double[shape.Stride], new double[shape.Stride]);
        }
    }
}
