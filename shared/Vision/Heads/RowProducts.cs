using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Distributed.Vision;

/// <summary>Changes the products of some rows in place.</summary>
/// <param name="part">Which part of the rows they are from; each part is visited by one thread at a time.</param>
/// <param name="first">First row.</param>
/// <param name="products">[rows, <see cref="RowProducts.PaddedClasses"/>].</param>
internal delegate void RowFunction(int part, int first, Span<double> products);

/// <summary>
/// Both products that a linear model needs of its features X: Z = X Wᵀ, and Zᵀ X once a function has changed Z. A block of rows
/// goes through all three steps while it is in the second-level cache, so that X is read once, as float32; arithmetic is in
/// double precision. Rows are always cut into the same parts and sums added in the same order: the number of threads does not
/// change a bit.
/// </summary>
internal sealed unsafe class RowProducts
{
    /// <summary>Parts that the rows are cut into.</summary>
    public const int Parts = 16;

    // What is called most is compiled in full at once: a path takes about as long as the run time needs to see that it is worth it.
    private const int BlockRows = 16, Lanes = 4;

    private readonly float[] _rows;
    private readonly int _threads;
    private readonly double[][] _sums;
    private readonly double[][] _blocks;
    private readonly double[][] _products;

    /// <summary>Prepares products.</summary>
    /// <param name="rows">[n, <see cref="PaddedSize"/> of the features]; what pads a row is zero.</param>
    /// <param name="first">First row to use.</param>
    /// <param name="count">Rows to use.</param>
    /// <param name="size">Features a row.</param>
    /// <param name="classes">Rows of W.</param>
    /// <param name="threads">Threads to use.</param>
    public RowProducts(float[] rows, int first, int count, int size, int classes, int threads)
    {
        _rows = rows;
        _threads = threads;
        First = first;
        Count = count;
        Stride = PaddedSize(size);
        PaddedClasses = (classes + 1) / 2 * 2;
        _sums = [.. Enumerable.Range(0, Parts).Select(_ => new double[PaddedClasses * Stride])];
        _blocks = [.. Enumerable.Range(0, Parts).Select(_ => new double[BlockRows * Stride])];
        _products = [.. Enumerable.Range(0, Parts).Select(_ => new double[BlockRows * PaddedClasses])];
    }

    public int First { get; }

    public int Count { get; }

    /// <summary>Numbers from one row of features, or of W, to the next.</summary>
    public int Stride { get; }

    /// <summary>Classes, made even; the last row of W is zero where that adds one.</summary>
    public int PaddedClasses { get; }

    public static int PaddedSize(int size) => (size + Lanes - 1) / Lanes * Lanes;

    /// <summary>Computes both products, or the first alone.</summary>
    /// <param name="weights">W, [<see cref="PaddedClasses"/>, <see cref="Stride"/>].</param>
    /// <param name="function">Is given Z block by block.</param>
    /// <param name="sums">Receives Zᵀ X like the weights, if it is wanted.</param>
    public void Run(double[] weights, RowFunction function, double[]? sums)
    {
        Parallel.For(0, Parts, new ParallelOptions { MaxDegreeOfParallelism = _threads }, part =>
        {
            Array.Clear(_sums[part]);
            var (begin, end) = ((int)((long)Count * part / Parts), (int)((long)Count * (part + 1) / Parts));
            for (var row = begin; row < end; row += BlockRows)
            {
                Run(part, row, Math.Min(BlockRows, end - row), weights, function, sums is not null);
            }
        });
        if (sums is not null)
        {
            Array.Clear(sums);
            foreach (var part in _sums)
            {
                Axpy(1, part, sums);
            }
        }
    }

    /// <summary>target += factor × source. Lengths are multiples of 4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Axpy(double factor, ReadOnlySpan<double> source, Span<double> target)
    {
        var by = Vector256.Create(factor);
        var from = MemoryMarshal.Cast<double, Vector256<double>>(source);
        var to = MemoryMarshal.Cast<double, Vector256<double>>(target);
        for (var i = 0; i < to.Length; i++)
        {
            to[i] = Vector256.FusedMultiplyAdd(by, from[i], to[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Run(int part, int first, int count, double[] weights, RowFunction function, bool summed)
    {
        var (block, products) = (_blocks[part], _products[part]);
        var padded = (count + 3) / 4 * 4;
        Widen(_rows.AsSpan((First + first) * Stride, count * Stride), block);
        block.AsSpan(count * Stride, (padded - count) * Stride).Clear();
        fixed (double* x = block, w = weights, z = products, s = _sums[part])
        {
            for (var row = 0; row < padded; row += 4)
            {
                for (var label = 0; label < PaddedClasses; label += 2)
                {
                    Multiply(x + (row * Stride), w + (label * Stride), z + (row * PaddedClasses) + label);
                }
            }

            function(part, first, products.AsSpan(0, count * PaddedClasses));
            if (!summed)
            {
                return;
            }

            products.AsSpan(count * PaddedClasses, (padded - count) * PaddedClasses).Clear();
            for (var label = 0; label < PaddedClasses; label += 2)
            {
                for (var row = 0; row < padded; row += 4)
                {
                    Accumulate(x + (row * Stride), z + (row * PaddedClasses) + label, s + (label * Stride));
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(ReadOnlySpan<float> source, Span<double> target)
    {
        var from = MemoryMarshal.Cast<float, Vector256<float>>(source);
        var to = MemoryMarshal.Cast<double, Vector256<double>>(target);
        for (var i = 0; i < from.Length; i++)
        {
            (to[2 * i], to[(2 * i) + 1]) = Vector256.Widen(from[i]);
        }

        for (var i = from.Length * Vector256<float>.Count; i < source.Length; i++)
        {
            target[i] = source[i];
        }
    }

    /// <summary>Products of 4 rows with 2 rows of W.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(double* x, double* w, double* z)
    {
        double* x1 = x + Stride, x2 = x1 + Stride, x3 = x2 + Stride, w1 = w + Stride;
        Vector256<double> z00 = default, z01 = default, z10 = default, z11 = default, z20 = default, z21 = default, z30 = default, z31 = default;
        for (var i = 0; i < Stride; i += Lanes)
        {
            var (left, right) = (Vector256.Load(w + i), Vector256.Load(w1 + i));
            var row = Vector256.Load(x + i);
            z00 = Vector256.FusedMultiplyAdd(row, left, z00);
            z01 = Vector256.FusedMultiplyAdd(row, right, z01);
            row = Vector256.Load(x1 + i);
            z10 = Vector256.FusedMultiplyAdd(row, left, z10);
            z11 = Vector256.FusedMultiplyAdd(row, right, z11);
            row = Vector256.Load(x2 + i);
            z20 = Vector256.FusedMultiplyAdd(row, left, z20);
            z21 = Vector256.FusedMultiplyAdd(row, right, z21);
            row = Vector256.Load(x3 + i);
            z30 = Vector256.FusedMultiplyAdd(row, left, z30);
            z31 = Vector256.FusedMultiplyAdd(row, right, z31);
        }

        var next = PaddedClasses;
        (z[0], z[1]) = (Vector256.Sum(z00), Vector256.Sum(z01));
        (z[next], z[next + 1]) = (Vector256.Sum(z10), Vector256.Sum(z11));
        (z[2 * next], z[(2 * next) + 1]) = (Vector256.Sum(z20), Vector256.Sum(z21));
        (z[3 * next], z[(3 * next) + 1]) = (Vector256.Sum(z30), Vector256.Sum(z31));
    }

    /// <summary>Adds 4 rows, each times its 2 numbers of Z, to 2 rows of sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Accumulate(double* x, double* z, double* s)
    {
        double* x1 = x + Stride, x2 = x1 + Stride, x3 = x2 + Stride, s1 = s + Stride;
        var next = PaddedClasses;
        var (z00, z01) = (Vector256.Create(z[0]), Vector256.Create(z[1]));
        var (z10, z11) = (Vector256.Create(z[next]), Vector256.Create(z[next + 1]));
        var (z20, z21) = (Vector256.Create(z[2 * next]), Vector256.Create(z[(2 * next) + 1]));
        var (z30, z31) = (Vector256.Create(z[3 * next]), Vector256.Create(z[(3 * next) + 1]));
        for (var i = 0; i < Stride; i += Lanes)
        {
            var (row0, row1, row2, row3) = (Vector256.Load(x + i), Vector256.Load(x1 + i), Vector256.Load(x2 + i), Vector256.Load(x3 + i));
            var left = Vector256.FusedMultiplyAdd(z00, row0, Vector256.Load(s + i));
            var right = Vector256.FusedMultiplyAdd(z01, row0, Vector256.Load(s1 + i));
            left = Vector256.FusedMultiplyAdd(z10, row1, left);
            right = Vector256.FusedMultiplyAdd(z11, row1, right);
            left = Vector256.FusedMultiplyAdd(z20, row2, left);
            right = Vector256.FusedMultiplyAdd(z21, row2, right);
            Vector256.FusedMultiplyAdd(z30, row3, left).Store(s + i);
            Vector256.FusedMultiplyAdd(z31, row3, right).Store(s1 + i);
        }
    }
}
