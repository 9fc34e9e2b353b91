using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Distributed.Vision.Heads;

/// <summary>
/// Multinomial logistic regression with an L2 penalty on all but the biases, solved by Newton's method with objective and
/// gradient in double precision, or in single where the tolerance is wide.
/// Steps come from conjugate gradients (Nocedal and Wright: Numerical Optimization, 2006, algorithm 7.1) that are
/// preconditioned (<see cref="ClassPreconditioner"/>, <see cref="ImagePreconditioner"/>) by what in principal components is nearly the curvature itself.
/// </summary>
internal sealed class LogisticRegression
{
    /// <summary>How far the objective may be from its smallest value, relative to it.</summary>
    public const double DefaultTolerance = 1e-6;

    /// <summary>From here on, more classes are many: their covariance costs more than it saves.</summary>
    public const int FewClasses = 16;

    /// <summary>From this tolerance on, single precision is enough for objective and gradient.</summary>
    private const double WideTolerance = 1e-4;

    private const int MostSteps = 100;
    private const int MostDirections = 1000;
    private const int MostHalvings = 40;

    /// <summary>Share of the possible decrease that a step may leave undone.</summary>
    private const double Forcing = 0.01;

    private readonly FusedProducts<double>? _exact;
    private readonly FusedProducts<float> _quick;
    private readonly PrincipalComponents _features;
    private readonly RowShape _shape;
    private readonly int _first;
    private readonly int _count;
    private readonly int[] _labels;
    private readonly int _classes;
    private readonly ThreadTeam _team;
    private readonly double[] _meanSquares;
    private readonly int _bias;
    private readonly double _tolerance;

    /// <summary>Prepares the problem.</summary>
    /// <param name="features">Principal components.</param>
    /// <param name="first">First image to learn from.</param>
    /// <param name="count">Images to learn from.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="team">Threads to use; they do not change a bit.</param>
    /// <param name="tolerance">How far the objective may be from its smallest value, relative to it.</param>
    public LogisticRegression(
        PrincipalComponents features,
        int first,
        int count,
        int classes,
        ThreadTeam team,
        double tolerance = DefaultTolerance
    )
    {
        _features = features;
        _shape = features.ShapeFor(classes);
        _first = first;
        _count = count;
        _exact = tolerance < WideTolerance ? new FusedProducts<double>(features.Values, first, count, _shape, team) : null;
        _quick = new FusedProducts<float>(features.Values, first, count, _shape, team);
        _labels = features.Labels[first..(first + count)];
        _classes = classes;
        _team = team;
        _bias = features.Coordinates;
        _tolerance = tolerance;
        _meanSquares = new double[_shape.Stride];
        for (var row = first; row < first + count; row++)
        {
            var values = features.Values[row];
            for (var i = 0; i < values.Length; i++)
            {
                _meanSquares[i] += (double)values[i] * values[i] / count;
            }
        }
    }

    /// <summary>Rows of the weights.</summary>
    public int PaddedClasses => _shape.PaddedClasses;

    private int Length => _shape.Length;

    /// <summary>Computes loss and gradient at some weights, which it keeps.</summary>
    /// <param name="weights">[<see cref="RowShape.PaddedClasses"/>, <see cref="RowShape.Stride"/>]; every row ends with the bias.</param>
    public Point Evaluate(double[] weights)
    {
        var probabilities = _features.Rent(_shape.PaddedClasses);
        var gradient = new double[Length];
        var (loss, accuracy) = Run(weights, probabilities, gradient);
        Scale(gradient, 1.0 / _count);
        return new Point(weights, loss, accuracy, gradient, probabilities);
    }

    /// <summary>Takes back a point that nobody uses any more: of probabilities, two or three arrays do.</summary>
    public void Recycle(Point point) => _features.Return(point.Probabilities);

    /// <summary>Computes loss and accuracy alone.</summary>
    /// <inheritdoc cref="Evaluate"/>
    public (double Loss, double Accuracy) Measure(double[] weights) => Run(weights, null, null);

    private (double Loss, double Accuracy) Run(double[] weights, double[]? probabilities, double[]? gradient)
    {
        var losses = new double[RowShape.Parts];
        var right = new int[RowShape.Parts];
        if (_exact is not null)
        {
            _exact.Run(weights, Score, gradient);
        }
        else
        {
            _quick.Run(weights, Score, gradient);
        }

        return (losses.Sum() / _count, (double)right.Sum() / _count);

        // Turns logits into residuals.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Score<T>(int part, int first, Span<T> products)
            where T : unmanaged, IFloatingPointIeee754<T>
        {
            for (var start = 0; start < products.Length; start += _shape.PaddedClasses)
            {
                var row = first + (start / _shape.PaddedClasses);
                var logits = products.Slice(start, _classes);
                var (best, sum) = (0, T.Zero);
                for (var label = 1; label < _classes; label++)
                {
                    best = logits[label] > logits[best] ? label : best;
                }

                var (most, own) = (logits[best], logits[_labels[row]]);
                for (var label = 0; label < _classes; label++)
                {
                    logits[label] = T.Exp(logits[label] - most);
                    sum += logits[label];
                }

                losses[part] += double.CreateTruncating(T.Log(sum) - (own - most));
                right[part] += best == _labels[row] ? 1 : 0;
                if (probabilities is null)
                {
                    continue;
                }

                for (var label = 0; label < _classes; label++)
                {
                    logits[label] /= sum;
                }

                var kept = probabilities.AsSpan(row * _shape.PaddedClasses, _shape.PaddedClasses);
                TensorPrimitives.ConvertTruncating<T, double>(logits, kept);
                kept[_classes..].Clear();
                logits[_labels[row]] -= T.One;
            }
        }
    }

    /// <summary>Loss plus penalty.</summary>
    public double Objective(Point point, double penalty) => Objective(point.Weights, point.Loss, penalty);

    /// <summary>Loss plus penalty at weights whose loss is known.</summary>
    public double Objective(double[] weights, double loss, double penalty)
    {
        var squares = 0.0;
        for (var start = 0; start < Length; start += _shape.Stride)
        {
            squares += Dot(weights.AsSpan(start, _bias), weights.AsSpan(start, _bias));
        }

        return loss + (0.5 * penalty * squares);
    }

    /// <summary>Finds the weights at which loss plus penalty is smallest.</summary>
    /// <param name="start">Where to begin.</param>
    /// <param name="penalty">Positive.</param>
    /// <param name="cancellationToken">Looked at between products.</param>
    /// <exception cref="HeadTrainingException">They are not found, which only values that are not numbers explain.</exception>
    public Point Solve(Point start, double penalty, CancellationToken cancellationToken)
    {
        var current = start;
        for (var step = 0; step < MostSteps; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var objective = Objective(current, penalty);
            if (!double.IsFinite(objective))
            {
                throw new HeadTrainingException(
                    $"The loss at the penalty {penalty} is {objective}: the features are too large for their squares to be added up."
                );
            }

            var (direction, decrease, enough) = FindStep(current, penalty, objective, cancellationToken);
            if (enough || Move(current, direction, penalty, objective, decrease) is not { } next)
            {
                return current;
            }

            Recycle(current);
            current = next;
        }

        throw new HeadTrainingException(
            $"The weights for the penalty {penalty} were not found in {MostSteps} steps: give stronger penalties."
        );
    }

    /// <summary>Goes as far along a step as it helps; null where rounding leaves nothing to gain.</summary>
    private Point? Move(Point from, double[] direction, double penalty, double objective, double decrease)
    {
        const double sufficient = 1e-4;
        var length = 1.0;
        for (var halving = 0; halving < MostHalvings; halving++, length /= 2)
        {
            var weights = (double[])from.Weights.Clone();
            Vectors.Axpy(length, direction, weights);
            var point = Evaluate(weights);
            if (Objective(point, penalty) < objective - (sufficient * length * decrease))
            {
                return point;
            }

            Recycle(point);
        }

        return null;
    }

    /// <summary>The step to the lowest point of the quadratic model, nearly.</summary>
    /// <returns>The step, how much lower the model is there, and whether that is not worth a step.</returns>
    private (double[] Direction, double Decrease, bool Enough) FindStep(
        Point point,
        double penalty,
        double objective,
        CancellationToken cancellationToken
    )
    {
        IPreconditioner preconditioner =
            _classes <= FewClasses
                ? new ClassPreconditioner(point.Probabilities, _count, _shape, _meanSquares, penalty)
                : new ImagePreconditioner(point.Probabilities, _features, _first, _count, _shape, _meanSquares, penalty, _team);
        var (direction, residual, curved, scaled) = (new double[Length], new double[Length], new double[Length], new double[Length]);
        Vectors.Axpy(-1, point.Gradient, residual);
        AddPenalty(-penalty, point.Weights, residual);
        preconditioner.Apply(residual, scaled);
        var search = (double[])scaled.Clone();
        var power = Dot(residual, scaled);
        // The preconditioner's estimate of the decrease may be too low by a small factor.
        if (0.5 * power <= 0.1 * _tolerance * objective)
        {
            return (direction, 0.5 * power, true);
        }

        var decrease = 0.0;
        for (var iteration = 0; iteration < MostDirections; iteration++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Curve(point, search, curved);
            AddPenalty(penalty, search, curved);
            var length = power / Dot(search, curved);
            Vectors.Axpy(length, search, direction);
            Vectors.Axpy(-length, curved, residual);
            decrease += 0.5 * length * power;
            preconditioner.Apply(residual, scaled);
            var next = Dot(residual, scaled);
            if (0.5 * next <= Math.Max(Forcing * decrease, 0.02 * _tolerance * objective))
            {
                break;
            }

            Scale(search, next / power);
            Vectors.Axpy(1, scaled, search);
            power = next;
        }

        return (direction, decrease, false);
    }

    /// <summary>
    /// The curvature of the loss times a direction, in single precision: a step need not be exact, since objective and gradient,
    /// which are in double precision, judge it and say when to stop.
    /// </summary>
    private void Curve(Point point, double[] direction, double[] result)
    {
        _quick.Run(direction, Weigh, result);
        Scale(result, 1.0 / _count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Weigh(int part, int first, Span<float> products)
        {
            for (var start = 0; start < products.Length; start += _shape.PaddedClasses)
            {
                var changes = products.Slice(start, _shape.PaddedClasses);
                var shares = point.Probabilities.AsSpan((first * _shape.PaddedClasses) + start, _shape.PaddedClasses);
                var mean = 0.0;
                for (var label = 0; label < changes.Length; label++)
                {
                    mean += shares[label] * changes[label];
                }

                for (var label = 0; label < changes.Length; label++)
                {
                    changes[label] = (float)(shares[label] * (changes[label] - mean));
                }
            }
        }
    }

    private void AddPenalty(double penalty, double[] weights, double[] target)
    {
        for (var start = 0; start < Length; start += _shape.Stride)
        {
            // The biases are not penalised.
            var bias = target[start + _bias];
            Vectors.Axpy(penalty, weights.AsSpan(start, _shape.Stride), target.AsSpan(start, _shape.Stride));
            target[start + _bias] = bias;
        }
    }

    private static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right) => TensorPrimitives.Dot(left, right);

    private static void Scale(Span<double> values, double factor) => TensorPrimitives.Multiply(values, factor, values);

    /// <summary>Weights, and what is known there.</summary>
    /// <param name="Weights">[padded classes, stride], every row with its bias.</param>
    /// <param name="Loss">Mean cross-entropy.</param>
    /// <param name="Accuracy">Share that is right.</param>
    /// <param name="Gradient">Of the loss, like the weights.</param>
    /// <param name="Probabilities">[n, padded classes], and what else there is room for.</param>
    public sealed record Point(double[] Weights, double Loss, double Accuracy, double[] Gradient, double[] Probabilities);
}
