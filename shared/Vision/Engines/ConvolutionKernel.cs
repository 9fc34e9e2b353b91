using System.Runtime.CompilerServices;

namespace Distributed.Vision.Engines;

/// <summary>What one kernel is made for. Offsets and strides are bytes.</summary>
/// <param name="Instructions">Those it is made of.</param>
/// <param name="Bf16">Inputs, weights and outputs are bfloat16; sums are float32 in any case.</param>
/// <param name="Vectors">Output channels, in vectors.</param>
/// <param name="Inputs">Offset of every output pixel's first input.</param>
/// <param name="Outputs">Offset of every output pixel.</param>
/// <param name="Unroll">Steps that an iteration makes; a step takes 4 bytes of input, one float32 or two bfloat16.</param>
/// <param name="Segments">Stretches of contiguous input, such as 3 rows of a 3×3 window.</param>
/// <param name="SegmentStride">From one stretch to the next.</param>
/// <param name="Bias">Sums start with a bias.</param>
/// <param name="Relu">Sums end in a rectifier.</param>
internal sealed record KernelShape(
    InstructionSet Instructions,
    bool Bf16,
    int Vectors,
    int[] Inputs,
    int[] Outputs,
    int Unroll,
    int Segments,
    int SegmentStride,
    bool Bias,
    bool Relu
)
{
    /// <summary>Sums are added to what stands where they are written, as residual networks have it.</summary>
    public bool AddsToOutput { get; init; }

    /// <summary>Outputs are float32 whatever the inputs are.</summary>
    public bool Float32Outputs { get; init; }

    /// <summary>How far behind the weights in use those are that are to be fetched into the cache, bytes; 0 for none.</summary>
    public int PrefetchDistance { get; init; }
}

/// <summary>
/// The inner loop of all convolutions: for a few pixels, all sums of a panel of output channels stay in registers while
/// it runs through the window's inputs. With channels last the inputs of one row of a window lie one after
/// the other, so that a convolution is a product of matrices without any copying.
/// </summary>
internal sealed unsafe class ConvolutionKernel : IDisposable
{
    private const int StepBytes = 4;

    private readonly ExecutableCode _code;
    private readonly delegate* unmanaged[SuppressGCTransition]<byte*, byte*, byte*, float*, nint, void> _function;

    public ConvolutionKernel(KernelShape shape)
    {
        _code = new ExecutableCode(Assemble(shape));
        // It runs for a microsecond or a few, so it can do without telling the garbage collector.
        _function = (delegate* unmanaged[SuppressGCTransition]<byte*, byte*, byte*, float*, nint, void>)_code.Address;
    }

    /// <summary>Computes one tile.</summary>
    /// <param name="input">First input of the tile.</param>
    /// <param name="weights">A panel: for every step, a vector's width of output channels.</param>
    /// <param name="output">First output of the tile.</param>
    /// <param name="bias">Of the panel's channels; not read without <see cref="KernelShape.Bias"/>.</param>
    /// <param name="iterations">Of a segment, at least 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(byte* input, byte* weights, byte* output, float* bias, int iterations) =>
        _function(input, weights, output, bias, iterations);

    public void Dispose() => _code.Dispose();

    /// <summary>Arguments come as in the System V ABI: rdi, rsi, rdx, rcx, r8. No register has to be saved.</summary>
    internal static byte[] Assemble(KernelShape shape)
    {
        var instructions = shape.Instructions;
        var code = instructions.CreateAssembler();
        var (vectors, vectorBytes) = (shape.Vectors, instructions.VectorBytes);
        var (broadcast, zero, firstWeight) = (instructions.Broadcast, instructions.Zero, instructions.FirstWeight(vectors));
        var pixels = shape.Inputs.Length;
        BeginSums(code, shape, firstWeight);
        code.Move(Register.R9, shape.Segments);
        var segment = code.Position;
        if (shape.Segments > 1)
        {
            code.Move(Register.Rcx, Register.Rdi);
        }

        code.Move(Register.Rax, Register.R8);
        var iteration = code.Position;
        for (var step = 0; step < shape.Unroll; step++)
        {
            for (var vector = 0; vector < vectors; vector++)
            {
                code.Load(firstWeight + vector, Register.Rsi, ((step * vectors) + vector) * vectorBytes);
                if (shape.PrefetchDistance > 0)
                {
                    code.Prefetch(Register.Rsi, (((step * vectors) + vector) * vectorBytes) + shape.PrefetchDistance);
                }
            }

            for (var pixel = 0; pixel < pixels; pixel++)
            {
                code.Broadcast(broadcast, Register.Rdi, shape.Inputs[pixel] + (step * StepBytes));
                for (var vector = 0; vector < vectors; vector++)
                {
                    var sum = (pixel * vectors) + vector;
                    if (shape.Bf16)
                    {
                        code.MultiplyAddPairs(sum, firstWeight + vector, broadcast);
                    }
                    else
                    {
                        code.MultiplyAdd(sum, firstWeight + vector, broadcast);
                    }
                }
            }
        }

        code.Add(Register.Rdi, shape.Unroll * StepBytes);
        code.Add(Register.Rsi, shape.Unroll * vectors * vectorBytes);
        code.LoopBack(Register.Rax, iteration);
        if (shape.Segments > 1)
        {
            code.Move(Register.Rdi, Register.Rcx);
            code.Add(Register.Rdi, shape.SegmentStride);
        }

        code.LoopBack(Register.R9, segment);
        code.Xor(zero, zero, zero);
        for (var pixel = 0; pixel < pixels; pixel++)
        {
            for (var vector = 0; vector < vectors; vector++)
            {
                var sum = (pixel * vectors) + vector;
                if (shape.Relu)
                {
                    code.Max(sum, sum, zero);
                }

                if (shape.Bf16 && !shape.Float32Outputs)
                {
                    code.ToBfloat16(sum, sum);
                    code.StoreHalf(sum, Register.Rdx, shape.Outputs[pixel] + (vector * vectorBytes / 2));
                }
                else
                {
                    code.Store(sum, Register.Rdx, shape.Outputs[pixel] + (vector * vectorBytes));
                }
            }
        }

        code.Return();
        return code.ToArray();
    }

    /// <summary>Sums begin with a bias, with what is at their output, with both or with zero. The registers of weights are free so far.</summary>
    private static void BeginSums(KernelAssembler code, KernelShape shape, int firstWeight)
    {
        var (vectors, vectorBytes) = (shape.Vectors, shape.Instructions.VectorBytes);
        for (var vector = 0; vector < vectors; vector++)
        {
            if (shape is { AddsToOutput: true, Bias: true })
            {
                code.Load(firstWeight + vector, Register.Rcx, vector * vectorBytes);
            }

            for (var pixel = 0; pixel < shape.Inputs.Length; pixel++)
            {
                var sum = (pixel * vectors) + vector;
                if (shape.AddsToOutput)
                {
                    if (shape.Bf16)
                    {
                        code.LoadBfloat16(sum, Register.Rdx, shape.Outputs[pixel] + (vector * vectorBytes / 2));
                    }
                    else
                    {
                        code.Load(sum, Register.Rdx, shape.Outputs[pixel] + (vector * vectorBytes));
                    }

                    if (shape.Bias)
                    {
                        code.Add(sum, sum, firstWeight + vector);
                    }
                }
                else if (!shape.Bias)
                {
                    code.Xor(sum, sum, sum);
                }
                else if (pixel == 0)
                {
                    code.Load(sum, Register.Rcx, vector * vectorBytes);
                }
                else
                {
                    code.Copy(sum, vector);
                }
            }
        }
    }
}
