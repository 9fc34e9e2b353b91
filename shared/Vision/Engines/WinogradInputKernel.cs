using System.Runtime.CompilerServices;

namespace Distributed.Vision.Engines;

/// <summary>
/// One row of Bᵀ d B for a row of tiles: two rows of a map are added or subtracted, then the columns of every tile. It is made at
/// run time because .NET 10 does not offer VCVTNE2PS2BF16, and because neighbours share columns, which stay in registers.
/// </summary>
internal sealed unsafe class WinogradInputKernel : IDisposable
{
    /// <summary>Vectors of float32 that make one of bfloat16.</summary>
    private const int Halves = 2;

    private const int LoopChannels = 32;

    private readonly ExecutableCode _code;
    private readonly delegate* unmanaged[SuppressGCTransition]<byte*, byte*, byte*, nint, void> _function;
    private readonly int _iterations;

    /// <summary>Makes a kernel.</summary>
    /// <param name="tiles">Tiles of a row.</param>
    /// <param name="channels">A multiple of 32.</param>
    /// <param name="positionBytes">From a position of the result to the next.</param>
    /// <param name="sum">Whether the two rows are added; otherwise the right one is subtracted.</param>
    public WinogradInputKernel(int tiles, int channels, int positionBytes, bool sum)
    {
        _code = new ExecutableCode(Assemble(tiles, channels, positionBytes, sum));
        _function = (delegate* unmanaged[SuppressGCTransition]<byte*, byte*, byte*, nint, void>)_code.Address;
        _iterations = channels / LoopChannels;
    }

    /// <summary>Transforms.</summary>
    /// <param name="left">First pixel of the first tile in one row of the map, float32.</param>
    /// <param name="right">The same in another row.</param>
    /// <param name="target">Receives the first tile of the first position, bfloat16; tiles lie next to each other.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(byte* left, byte* right, byte* target) => _function(left, right, target, _iterations);

    public void Dispose() => _code.Dispose();

    /// <summary>Arguments come as in the System V ABI: rdi, rsi, rdx, rcx.</summary>
    internal static byte[] Assemble(int tiles, int channels, int positionBytes, bool sum)
    {
        const int Free = WinogradTransform.Size * Halves;
        var vectorBytes = InstructionSet.Avx512.VectorBytes;
        var code = InstructionSet.Avx512.CreateAssembler();
        var iteration = code.Position;
        var ready = 0;
        for (var tile = 0; tile < tiles; tile++)
        {
            var first = tile * WinogradTransform.OutputSize;
            for (; ready < first + WinogradTransform.Size; ready++)
            {
                for (var half = 0; half < Halves; half++)
                {
                    var offset = (ready * channels * sizeof(float)) + (half * vectorBytes);
                    code.Load(Column(ready, half), Register.Rdi, offset);
                    code.Load(Free, Register.Rsi, offset);
                    Combine(sum, Column(ready, half), Column(ready, half), Free);
                }
            }

            for (var position = 0; position < WinogradTransform.Size; position++)
            {
                var (left, right, add) = WinogradTransform.Rows[position];
                for (var half = 0; half < Halves; half++)
                {
                    Combine(add, Free + half, Column(first + left, half), Column(first + right, half));
                }

                code.ToBfloat16(Free, Free, Free + 1);
                code.Store(Free, Register.Rdx, (position * positionBytes) + (tile * channels * sizeof(ushort)));
            }
        }

        code.Add(Register.Rdi, LoopChannels * sizeof(float));
        code.Add(Register.Rsi, LoopChannels * sizeof(float));
        code.Add(Register.Rdx, LoopChannels * sizeof(ushort));
        code.LoopBack(Register.Rcx, iteration);
        code.Return();
        return code.ToArray();

        // A tile's last columns are its neighbour's first.
        int Column(int column, int half) => (column % WinogradTransform.Size * Halves) + half;

        void Combine(bool add, int target, int left, int right)
        {
            if (add)
            {
                code.Add(target, left, right);
            }
            else
            {
                code.Subtract(target, left, right);
            }
        }
    }
}
