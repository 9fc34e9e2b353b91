using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using static TorchSharp.torch;

namespace Distributed.Vision.Evidence;

/// <summary>
/// The features of images, each with mean 0 and deviation 1 over the images; where there are far fewer images than features, in coordinates of the
/// space that the images span, so that what is computed from them takes less.
/// </summary>
/// <remarks>Its tensors belong to the caller's dispose scope.</remarks>
internal sealed class StandardRows
{
    private const int RowsAtOnce = 1024;

    private readonly IFeatureSource _features;
    private readonly Tensor _mean;
    private readonly Tensor _deviation;
    private Tensor? _span;
    private float[] _values = [];

    private StandardRows(IFeatureSource features, float[] mean, float[] deviation)
    {
        (_features, Mean, Deviation) = (features, mean, deviation);
        (_mean, _deviation) = (tensor(mean), tensor(deviation));
    }

    /// <summary>Means of the features.</summary>
    public float[] Mean { get; }

    /// <summary>Their standard deviations; 1 where all values are the same.</summary>
    public float[] Deviation { get; }

    /// <summary>Images.</summary>
    public int Count => _features.Count;

    /// <summary>Coordinates of an image.</summary>
    public int Size => (int)(_span?.shape[1] ?? _features.Size);

    /// <summary>Measures features, and finds the space that they span where that is smaller.</summary>
    public static StandardRows Create(IFeatureSource features)
    {
        var rows = Measure(features);
        if (features.Count < features.Size / 2)
        {
            rows._span = Span(rows.Read(0, features.Count));
        }

        return rows;
    }

    /// <summary>Measures means and deviations alone.</summary>
    public static StandardRows Measure(IFeatureSource features)
    {
        var (sums, squares) = (new double[features.Size], new double[features.Size]);
        var values = new float[Math.Min(RowsAtOnce, features.Count) * features.Size];
        for (var first = 0; first < features.Count; first += RowsAtOnce)
        {
            var count = Math.Min(RowsAtOnce, features.Count - first);
            features.Read(first, count, values);
            for (var row = 0; row < count; row++)
            {
                Add(values.AsSpan(row * features.Size, features.Size));
            }
        }

        var mean = Array.ConvertAll(sums, sum => (float)(sum / features.Count));
        var deviation = new float[features.Size];
        for (var i = 0; i < deviation.Length; i++)
        {
            var (average, square) = (sums[i] / features.Count, squares[i] / features.Count);
            var variance = square - (average * average);
            // What rounding makes of a constant is none.
            deviation[i] = variance > 1e-12 * square ? (float)Math.Sqrt(variance) : 1;
        }

        return new StandardRows(features, mean, deviation);

        void Add(ReadOnlySpan<float> row)
        {
            for (var i = 0; i < row.Length; i++)
            {
                sums[i] += row[i];
                squares[i] += (double)row[i] * row[i];
            }
        }
    }

    /// <summary>Some images: float64 [count, <see cref="Size"/>].</summary>
    public Tensor Read(int first, int count)
    {
        using var scope = NewDisposeScope();
        var rows = ReadPlain(first, count).to(ScalarType.Float64).sub_(_mean).div_(_deviation);
        return (_span is null ? rows : rows.mm(_span)).MoveToOuterDisposeScope();
    }

    /// <summary>The features of some images as they are: float32 [count, features].</summary>
    public Tensor ReadPlain(int first, int count)
    {
        var length = count * _features.Size;
        _values = _values.Length < length ? new float[length] : _values;
        _features.Read(first, count, _values);
        return TensorData.FromValues(_values.AsSpan(0, length), count, _features.Size).ToTensor();
    }

    /// <summary>Directions in the coordinates of <see cref="Read"/> as directions in those of the standardised features.</summary>
    /// <param name="axes">In columns, [<see cref="Size"/>, n].</param>
    public Tensor Restore(Tensor axes) => _span is null ? axes : _span.mm(axes);

    /// <summary>An orthonormal basis of what rows span, in columns.</summary>
    private static Tensor Span(Tensor rows)
    {
        var (values, vectors) = SymmetricMatrix.Decompose(rows.mm(rows.t()));
        var kept = values.Count(value => value > 1e-10 * values[^1]);
        var lengths = tensor(Array.ConvertAll(values[^Math.Max(kept, 1)..], Math.Sqrt));
        return rows.t().mm(vectors.narrow(1, values.Length - Math.Max(kept, 1), Math.Max(kept, 1))).div_(lengths);
    }
}
