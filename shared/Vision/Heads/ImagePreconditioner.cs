using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Distributed.Vision.Heads;

/// <summary>
/// The preconditioner for many classes, which costs features × classes. Where classes are many, a class gets its curvature from few images:
/// its own, and those that are taken for it. Of these, the <see cref="OwnImages"/> with the largest p (1 - p), the curvature is exact; that of all others is
/// their mean p (1 - p) times the features' mean squares. The sum of both is inverted by the Woodbury identity (Golub and Van Loan: Matrix
/// Computations, 2013, 2.1.4). The curvature between classes is left out, but for this: adding the same to all classes leads nowhere, and is taken away.
/// </summary>
internal sealed class ImagePreconditioner : IPreconditioner
{
    /// <summary>Images of a class whose curvature is exact.</summary>
    private const int OwnImages = 32;

    private readonly RowShape _shape;
    private readonly ThreadTeam _team;
    private readonly Part[] _parts;
    private readonly double[] _mean;

    /// <summary>Prepares it at a point.</summary>
    /// <param name="probabilities">[<paramref name="count"/>, <see cref="RowShape.PaddedClasses"/>] and more, predicted at the point.</param>
    /// <param name="features">Principal components.</param>
    /// <param name="first">The first image.</param>
    /// <param name="count">Images.</param>
    /// <param name="shape">Features, with the one for the bias last, and classes.</param>
    /// <param name="meanSquares">[<see cref="RowShape.Stride"/>], of the features.</param>
    /// <param name="penalty">Positive.</param>
    /// <param name="team">Threads to use; they do not change a bit.</param>
    public ImagePreconditioner(
        double[] probabilities,
        PrincipalComponents features,
        int first,
        int count,
        RowShape shape,
        double[] meanSquares,
        double penalty,
        ThreadTeam team
    )
    {
        (_shape, _team, _mean) = (shape, team, new double[shape.Stride]);
        _parts =
        [
            .. Enumerable
                .Range(0, RowShape.Parts)
                .Select(part => new Part(shape, shape.Classes * part / RowShape.Parts, shape.Classes * (part + 1) / RowShape.Parts)),
        ];
        team.Run(RowShape.Parts, part => _parts[part].Prepare(probabilities, features, first, count, meanSquares, penalty));
    }

    /// <inheritdoc/>
    public void Apply(double[] residual, double[] result)
    {
        _team.Run(RowShape.Parts, part => _parts[part].Apply(residual, result));
        Array.Clear(_mean);
        foreach (var part in _parts)
        {
            TensorPrimitives.Add(_mean, part.Total, _mean);
        }

        TensorPrimitives.Divide(_mean, -_shape.Classes, _mean);
        for (var label = 0; label < _shape.Classes; label++)
        {
            var row = result.AsSpan(label * _shape.Stride, _shape.Stride);
            TensorPrimitives.Add(row, _mean, row);
        }

        result.AsSpan(_shape.Classes * _shape.Stride).Clear();
    }

    /// <summary>Some of the classes, which one thread goes through.</summary>
    private sealed class Part(RowShape shape, int firstClass, int endClass)
    {
        /// <summary>Share of p (1 - p) that other images are taken to have at least: with less, single precision has too few digits for the sum of both.</summary>
        private const double LeastRest = 1e-3;

        private readonly Curvature[] _curvatures = new Curvature[endClass - firstClass];
        private readonly float[] _scaled = new float[shape.Stride];
        private readonly float[] _sum = new float[shape.Stride];

        /// <summary>Sum of what the classes were given last.</summary>
        public double[] Total { get; } = new double[shape.Stride];

        public void Prepare(
            double[] probabilities,
            PrincipalComponents features,
            int first,
            int count,
            double[] meanSquares,
            double penalty
        )
        {
            var (largest, sums) = Choose(probabilities, count);
            for (var label = 0; label < _curvatures.Length; label++)
            {
                var rest = sums[label];
                var rows = new float[largest[label].Count * shape.Stride];
                var end = 0;
                // In an order that the queue does not choose.
                foreach (var (image, weight) in largest[label].UnorderedItems.OrderBy(item => item.Element))
                {
                    rest -= weight;
                    var row = features.Values[first + image];
                    TensorPrimitives.Multiply(row, (float)Math.Sqrt(weight / count), rows.AsSpan(end, shape.Stride));
                    end += shape.Stride;
                }

                var inverse = Invert(meanSquares, Math.Max(rest, LeastRest * sums[label]) / count, penalty);
                _curvatures[label] = new Curvature(rows, inverse, Factor(rows, inverse));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Apply(double[] residual, double[] result)
        {
            Array.Clear(Total);
            for (var label = 0; label < _curvatures.Length; label++)
            {
                var (rows, inverse, factor) = _curvatures[label];
                var start = (firstClass + label) * shape.Stride;
                TensorPrimitives.ConvertTruncating<double, float>(residual.AsSpan(start, shape.Stride), _scaled);
                TensorPrimitives.Multiply(_scaled, inverse, _scaled);
                var shares = Solve(factor, rows);
                Array.Clear(_sum);
                for (var image = 0; image < shares.Length; image++)
                {
                    TensorPrimitives.MultiplyAdd(rows.AsSpan(image * shape.Stride, shape.Stride), (float)shares[image], _sum, _sum);
                }

                TensorPrimitives.Multiply(_sum, inverse, _sum);
                TensorPrimitives.Subtract(_scaled, _sum, _scaled);
                var target = result.AsSpan(start, shape.Stride);
                TensorPrimitives.ConvertTruncating<float, double>(_scaled, target);
                TensorPrimitives.Add(Total, target, Total);
            }
        }

        /// <summary>For each class, the images with the largest p (1 - p), and its sum over all.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private (PriorityQueue<int, double>[] Largest, double[] Sums) Choose(double[] probabilities, int count)
        {
            var sums = new double[_curvatures.Length];
            var largest = Array.ConvertAll(sums, _ => new PriorityQueue<int, double>());
            for (var image = 0; image < count; image++)
            {
                var row = probabilities.AsSpan((image * shape.PaddedClasses) + firstClass, sums.Length);
                for (var label = 0; label < row.Length; label++)
                {
                    var weight = row[label] * (1 - row[label]);
                    sums[label] += weight;
                    if (largest[label].Count < OwnImages)
                    {
                        largest[label].Enqueue(image, weight);
                    }
                    else if (largest[label].TryPeek(out _, out var least) && weight > least)
                    {
                        largest[label].DequeueEnqueue(image, weight);
                    }
                }
            }

            return (largest, sums);
        }

        /// <summary>The inverse of the diagonal that stands for the other images and the penalty.</summary>
        private float[] Invert(double[] meanSquares, double weight, double penalty)
        {
            var bias = shape.Size - 1;
            var inverse = new float[shape.Stride];
            var least = (1e-12 * weight * TensorPrimitives.Max(meanSquares)) + 1e-30;
            for (var i = 0; i < bias; i++)
            {
                inverse[i] = (float)(1 / Math.Max((meanSquares[i] * weight) + penalty, least));
            }

            inverse[bias] = weight > least ? (float)(1 / (meanSquares[bias] * weight)) : 0;
            return inverse;
        }

        /// <summary>The Cholesky factor, row by row, of 1 + V D⁻¹ Vᵀ, which has as many rows as V has images.</summary>
        private double[] Factor(float[] rows, float[] inverse)
        {
            var images = rows.Length / shape.Stride;
            var factor = new double[images * images];
            for (var row = 0; row < images; row++)
            {
                TensorPrimitives.Multiply(rows.AsSpan(row * shape.Stride, shape.Stride), inverse, _scaled);
                for (var column = 0; column <= row; column++)
                {
                    var product = (double)TensorPrimitives.Dot(_scaled, rows.AsSpan(column * shape.Stride, shape.Stride));
                    var left = product - TensorPrimitives.Dot(factor.AsSpan(row * images, column), factor.AsSpan(column * images, column));
                    // The sum of 1 and a square; rounding must not make it less.
                    factor[(row * images) + column] =
                        row == column ? Math.Sqrt(Math.Max(1, 1 + left)) : left / factor[(column * images) + column];
                }
            }

            return factor;
        }

        /// <summary>Solves (1 + V D⁻¹ Vᵀ) x = V y for y, the scaled residual.</summary>
        private double[] Solve(double[] factor, float[] rows)
        {
            var solution = new double[rows.Length / shape.Stride];
            for (var row = 0; row < solution.Length; row++)
            {
                var product = (double)TensorPrimitives.Dot(rows.AsSpan(row * shape.Stride, shape.Stride), _scaled);
                solution[row] =
                    (product - TensorPrimitives.Dot(factor.AsSpan(row * solution.Length, row), solution.AsSpan(0, row)))
                    / factor[(row * solution.Length) + row];
            }

            for (var row = solution.Length - 1; row >= 0; row--)
            {
                solution[row] /= factor[(row * solution.Length) + row];
                for (var other = 0; other < row; other++)
                {
                    solution[other] -= factor[(row * solution.Length) + other] * solution[row];
                }
            }

            return solution;
        }

        /// <param name="Rows">V: rows of features, each times the root of its share of the curvature.</param>
        /// <param name="Inverse">D⁻¹, a diagonal.</param>
        /// <param name="Factor">Cholesky factor of 1 + V D⁻¹ Vᵀ.</param>
        private sealed record Curvature(float[] Rows, float[] Inverse, double[] Factor);
    }
}
