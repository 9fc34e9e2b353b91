using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Distributed.Vision.Engines;

/// <summary>
/// Winograd's F(2×2, 3×3) in the notation of Lavin and Gray (Fast Algorithms for Convolutional Neural Networks, 2016): the 2×2
/// outputs Y of a 3×3 window g over 4×4 inputs d are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. That is 16 multiplications instead of 36.
/// </summary>
internal static unsafe class WinogradTransform
{
    /// <summary>Height and width of what is transformed.</summary>
    public const int Size = 4;

    /// <summary>Height and width of the outputs of one tile.</summary>
    public const int OutputSize = 2;

    /// <summary>Products a tile needs.</summary>
    public const int Positions = Size * Size;

    private const int Window = 3;

    private static readonly double[][] G =
    [
        [1, 0, 0],
        [0.5, 0.5, 0.5],
        [0.5, -0.5, 0.5],
        [0, 0, 1],
    ];

    /// <summary>The rows of Bᵀ: every one adds or subtracts two inputs.</summary>
    public static IReadOnlyList<(int Left, int Right, bool Sum)> Rows { get; } =
    [(0, 2, false), (1, 2, true), (2, 1, false), (1, 3, false)];

    /// <summary>G g Gᵀ.</summary>
    /// <param name="weights">[outputs, inputs, 3, 3], row-major.</param>
    /// <returns>[16, outputs, inputs]: the weights of one 1×1 convolution for each position.</returns>
    public static float[] Weights(float[] weights)
    {
        var windows = weights.Length / (Window * Window);
        var result = new float[Positions * windows];
        for (var window = 0; window < windows; window++)
        {
            var g = weights.AsSpan(window * Window * Window, Window * Window);
            for (var position = 0; position < Positions; position++)
            {
                var (row, column) = (G[position / Size], G[position % Size]);
                var sum = 0.0;
                for (var i = 0; i < g.Length; i++)
                {
                    sum += row[i / Window] * column[i % Window] * g[i];
                }

                result[(position * windows) + window] = (float)sum;
            }
        }

        return result;
    }

    /// <summary>Aᵀ M A of one tile, rounded to bfloat16.</summary>
    /// <param name="sums">The first position's.</param>
    /// <param name="positionBytes">From a position to the next.</param>
    /// <param name="target">The upper left output.</param>
    /// <param name="rowBytes">From a row of outputs to the next.</param>
    /// <param name="pixelBytes">From an output to the next.</param>
    /// <param name="rows">Outputs that are on the map, 1 or 2.</param>
    /// <param name="columns">Outputs that are on the map, 1 or 2.</param>
    /// <param name="channels">A multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Outputs(
        byte* sums,
        int positionBytes,
        byte* target,
        int rowBytes,
        int pixelBytes,
        int rows,
        int columns,
        int channels
    )
    {
        for (var i = 0; i < channels; i += Vector512<float>.Count)
        {
            var m = sums + (i * sizeof(float));
            var (upper0, lower0) = Column(m, positionBytes);
            var (upper1, lower1) = Column(m + positionBytes, positionBytes);
            var (upper2, lower2) = Column(m + (2 * positionBytes), positionBytes);
            var (upper3, lower3) = Column(m + (3 * positionBytes), positionBytes);
            var at = target + (i * sizeof(ushort));
            Elementwise.Store(upper0 + upper1 + upper2, (ushort*)at);
            if (columns > 1)
            {
                Elementwise.Store(upper1 - upper2 - upper3, (ushort*)(at + pixelBytes));
            }

            if (rows > 1)
            {
                Elementwise.Store(lower0 + lower1 + lower2, (ushort*)(at + rowBytes));
                if (columns > 1)
                {
                    Elementwise.Store(lower1 - lower2 - lower3, (ushort*)(at + rowBytes + pixelBytes));
                }
            }
        }
    }

    /// <summary>Aᵀ times one column of M.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float> Upper, Vector512<float> Lower) Column(byte* sums, int positionBytes)
    {
        var rowBytes = Size * positionBytes;
        var first = Vector512.Load((float*)sums);
        var second = Vector512.Load((float*)(sums + rowBytes));
        var third = Vector512.Load((float*)(sums + (2 * rowBytes)));
        var fourth = Vector512.Load((float*)(sums + (3 * rowBytes)));
        return (first + second + third, second - third - fourth);
    }
}
