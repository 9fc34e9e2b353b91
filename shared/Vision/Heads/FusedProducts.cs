using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Distributed.Vision.Heads;

/// <summary>Changes the products of some rows in place.</summary>
/// <param name="part">Which part of the rows they are from; each part is visited by one thread at a time.</param>
/// <param name="first">First row.</param>
/// <param name="products">[rows, <see cref="RowShape.PaddedClasses"/>].</param>
internal delegate void RowFunction<T>(int part, int first, Span<T> products);

/// <summary>How features and weights lie in memory for <see cref="FusedProducts{T}"/>: padded, so that no loop has a rest.</summary>
/// <param name="Size">Features a row.</param>
/// <param name="Classes">Rows of the weights.</param>
internal sealed record RowShape(int Size, int Classes)
{
    /// <summary>Rows that are multiplied together.</summary>
    public const int RowsTogether = 4;

    /// <summary>Parts that the rows are cut into.</summary>
    public const int Parts = 16;

    /// <summary>What the length of a row is a multiple of: a cache line of single precision.</summary>
    public const int Alignment = 16;

    /// <summary>Numbers from one row of features, or of weights, to the next.</summary>
    public int Stride => (Size + Alignment - 1) / Alignment * Alignment;

    /// <summary>Classes, made even; the last row of the weights is zero where that adds one.</summary>
    public int PaddedClasses => (Classes + 1) / 2 * 2;

    /// <summary>Numbers of all weights.</summary>
    public int Length => PaddedClasses * Stride;
}

/// <summary>
/// Both products that a linear model needs of its features X: Z = X Wᵀ, and Zᵀ X once a function has changed Z. A block of rows
/// goes through all three steps while it is in the second-level cache, so that X is read once, as float32. Rows are always cut
/// into the same parts and sums added in the same order: the number of threads does not change a bit.
/// </summary>
/// <typeparam name="T">Arithmetic: double, or float, which is twice to three times as fast.</typeparam>
internal sealed unsafe class FusedProducts<T>
    where T : unmanaged, INumber<T>
{
    // What is called most is compiled in full at once: a path takes about as long as the run time needs to see that it is worth it.

    /// <summary>Classes whose weights are gone through together: those of <see cref="FeaturesTogether"/> features stay in the second-level cache.</summary>
    private const int ClassesTogether = 32;

    /// <summary>Features that are gone through together: those of 4 rows stay in the first-level cache.</summary>
    private static readonly int FeaturesTogether = 4096 / sizeof(T);

    private readonly AlignedRows _rows;
    private readonly int _first;
    private readonly int _count;
    private readonly RowShape _shape;
    private readonly ThreadTeam _team;
    private readonly AlignedNumbers<T> _weights;
    private readonly int _blockRows;
    private readonly AlignedNumbers<T>[] _blocks;
    private readonly AlignedNumbers<T>[] _products;
    private AlignedNumbers<T>[] _sums = [];

    /// <summary>Prepares products.</summary>
    /// <param name="rows">[n, <see cref="RowShape.Size"/>].</param>
    /// <param name="first">First row to use.</param>
    /// <param name="count">Rows to use.</param>
    /// <param name="shape">Features and classes.</param>
    /// <param name="team">Threads to use.</param>
    public FusedProducts(AlignedRows rows, int first, int count, RowShape shape, ThreadTeam team)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Stride, shape.Stride);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows.Count, first + count);
        _rows = rows;
        _first = first;
        _count = count;
        _shape = shape;
        _team = team;
        _weights = new AlignedNumbers<T>(shape.Length);
        // With many classes the weights do not stay in the cache: they are read once a block, so that it is larger.
        _blockRows = shape.PaddedClasses > ClassesTogether ? 64 : 16;
        _blocks = typeof(T) == typeof(float) ? [] : ForEachPart(_blockRows * shape.Stride);
        _products = ForEachPart(_blockRows * shape.PaddedClasses);
    }

    private static AlignedNumbers<T>[] ForEachPart(int length) =>
        [.. Enumerable.Range(0, RowShape.Parts).Select(_ => new AlignedNumbers<T>(length))];

    /// <summary>Computes both products, or the first alone.</summary>
    /// <param name="weights">W, [<see cref="RowShape.PaddedClasses"/>, <see cref="RowShape.Stride"/>].</param>
    /// <param name="function">Is given Z block by block.</param>
    /// <param name="sums">Receives Zᵀ X like the weights, if it is wanted.</param>
    public void Run(double[] weights, RowFunction<T> function, double[]? sums)
    {
        TensorPrimitives.ConvertTruncating<double, T>(weights, _weights.Span);
        if (sums is not null && _sums.Length == 0)
        {
            _sums = ForEachPart(_shape.Length);
        }

        _team.Run(
            RowShape.Parts,
            part =>
            {
                if (sums is not null)
                {
                    _sums[part].Span.Clear();
                }

                var (begin, end) = ((int)((long)_count * part / RowShape.Parts), (int)((long)_count * (part + 1) / RowShape.Parts));
                for (var row = begin; row < end; row += _blockRows)
                {
                    var rows = Math.Min(_blockRows, end - row);
                    if (Vector512.IsHardwareAccelerated)
                    {
                        Run<SimdVector512<T>>(part, row, rows, function, sums is not null);
                    }
                    else
                    {
                        Run<SimdVector256<T>>(part, row, rows, function, sums is not null);
                    }
                }
            }
        );
        if (sums is not null)
        {
            // Each number is the sum of the parts in their order, whichever thread adds them.
            _team.Run(
                RowShape.Parts,
                share =>
                {
                    var lines = sums.Length / RowShape.Alignment;
                    var range = (lines * share / RowShape.Parts * RowShape.Alignment)..(
                        lines * (share + 1) / RowShape.Parts * RowShape.Alignment
                    );
                    sums.AsSpan(range).Clear();
                    foreach (var part in _sums)
                    {
                        Vectors.Add<T>(part.Span[range], sums.AsSpan(range));
                    }
                }
            );
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Run<TVector>(int part, int first, int count, RowFunction<T> function, bool summed)
        where TVector : struct, ISimdVector<TVector, T>
    {
        var (stride, classes) = (_shape.Stride, _shape.PaddedClasses);
        var padded = (count + RowShape.RowsTogether - 1) / RowShape.RowsTogether * RowShape.RowsTogether;
        T* w = _weights.Pointer;
        T* x;
        if (typeof(T) == typeof(float))
        {
            x = (T*)_rows.Pointer(_first + first);
        }
        else
        {
            x = _blocks[part].Pointer;
            Vectors.Widen(new ReadOnlySpan<float>(_rows.Pointer(_first + first), padded * stride), new Span<double>(x, padded * stride));
        }

        var products = _products[part].Span[..(padded * classes)];
        var z = _products[part].Pointer;
        products.Clear();
        for (var feature = 0; feature < stride; feature += FeaturesTogether)
        {
            var length = Math.Min(FeaturesTogether, stride - feature);
            for (var together = 0; together < classes; together += ClassesTogether)
            {
                var end = Math.Min(together + ClassesTogether, classes);
                for (var row = 0; row < padded; row += RowShape.RowsTogether)
                {
                    for (var label = together; label < end; label += 2)
                    {
                        Multiply<TVector>(
                            x + (row * stride) + feature,
                            w + (label * stride) + feature,
                            z + (row * classes) + label,
                            length,
                            stride,
                            classes
                        );
                    }
                }
            }
        }

        function(part, first, products[..(count * classes)]);
        if (!summed)
        {
            return;
        }

        // What stands behind the last row belongs to others.
        products[(count * classes)..].Clear();
        var s = _sums[part].Pointer;
        for (var feature = 0; feature < stride; feature += FeaturesTogether)
        {
            var length = Math.Min(FeaturesTogether, stride - feature);
            for (var together = 0; together < classes; together += ClassesTogether)
            {
                var end = Math.Min(together + ClassesTogether, classes);
                for (var row = 0; row < padded; row += RowShape.RowsTogether)
                {
                    for (var label = together; label < end; label += 2)
                    {
                        Accumulate<TVector>(
                            x + (row * stride) + feature,
                            z + (row * classes) + label,
                            s + (label * stride) + feature,
                            length,
                            stride,
                            classes
                        );
                    }
                }
            }
        }
    }

    /// <summary>Adds the products of 4 rows with 2 rows of W.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TVector>(T* x, T* w, T* z, int length, int stride, int classes)
        where TVector : struct, ISimdVector<TVector, T>
    {
        T* x1 = x + stride,
            x2 = x1 + stride,
            x3 = x2 + stride,
            w1 = w + stride;
        TVector z00 = default,
            z01 = default,
            z10 = default,
            z11 = default,
            z20 = default,
            z21 = default,
            z30 = default,
            z31 = default;
        for (nint i = 0; i < length; i += TVector.Count)
        {
            var (left, right) = (TVector.Load(w + i), TVector.Load(w1 + i));
            var row = TVector.Load(x + i);
            z00 = TVector.MultiplyAdd(row, left, z00);
            z01 = TVector.MultiplyAdd(row, right, z01);
            row = TVector.Load(x1 + i);
            z10 = TVector.MultiplyAdd(row, left, z10);
            z11 = TVector.MultiplyAdd(row, right, z11);
            row = TVector.Load(x2 + i);
            z20 = TVector.MultiplyAdd(row, left, z20);
            z21 = TVector.MultiplyAdd(row, right, z21);
            row = TVector.Load(x3 + i);
            z30 = TVector.MultiplyAdd(row, left, z30);
            z31 = TVector.MultiplyAdd(row, right, z31);
        }

        z[0] += z00.Sum();
        z[1] += z01.Sum();
        z += classes;
        z[0] += z10.Sum();
        z[1] += z11.Sum();
        z += classes;
        z[0] += z20.Sum();
        z[1] += z21.Sum();
        z += classes;
        z[0] += z30.Sum();
        z[1] += z31.Sum();
    }

    /// <summary>Adds 4 rows, each times its 2 numbers of Z, to 2 rows of sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate<TVector>(T* x, T* z, T* s, int length, int stride, int classes)
        where TVector : struct, ISimdVector<TVector, T>
    {
        T* x1 = x + stride,
            x2 = x1 + stride,
            x3 = x2 + stride,
            s1 = s + stride;
        var (z00, z01) = (TVector.Create(z[0]), TVector.Create(z[1]));
        var (z10, z11) = (TVector.Create(z[classes]), TVector.Create(z[classes + 1]));
        var (z20, z21) = (TVector.Create(z[2 * classes]), TVector.Create(z[(2 * classes) + 1]));
        var (z30, z31) = (TVector.Create(z[3 * classes]), TVector.Create(z[(3 * classes) + 1]));
        for (nint i = 0; i < length; i += TVector.Count)
        {
            var (row0, row1, row2, row3) = (TVector.Load(x + i), TVector.Load(x1 + i), TVector.Load(x2 + i), TVector.Load(x3 + i));
            var left = TVector.MultiplyAdd(z00, row0, TVector.Load(s + i));
            var right = TVector.MultiplyAdd(z01, row0, TVector.Load(s1 + i));
            left = TVector.MultiplyAdd(z10, row1, left);
            right = TVector.MultiplyAdd(z11, row1, right);
            left = TVector.MultiplyAdd(z20, row2, left);
            right = TVector.MultiplyAdd(z21, row2, right);
            TVector.MultiplyAdd(z30, row3, left).Store(s + i);
            TVector.MultiplyAdd(z31, row3, right).Store(s1 + i);
        }
    }
}
