using System.Runtime.Intrinsics.X86;

namespace Distributed.Vision.Engines;

/// <summary>The vector instructions that kernels are made of, and how a kernel shares out their registers.</summary>
internal sealed class InstructionSet
{
    private readonly Func<KernelAssembler> _createAssembler;
    private readonly Func<Precision, bool> _hasProcessor;
    private readonly int _mostVectors;

    private InstructionSet(
        int vectorLength,
        int mostVectors,
        int broadcast,
        int zero,
        Func<KernelAssembler> createAssembler,
        Func<Precision, bool> hasProcessor
    )
    {
        VectorLength = vectorLength;
        Broadcast = broadcast;
        Zero = zero;
        _mostVectors = mostVectors;
        _createAssembler = createAssembler;
        _hasProcessor = hasProcessor;
    }

    /// <summary>14 pixels × 32 channels at once, or 9 × 48.</summary>
    public static InstructionSet Avx512 { get; } =
        new(vectorLength: 16, mostVectors: 3, broadcast: 30, zero: 31, () => new EvexAssembler(), HasAvx512);

    /// <summary>6 pixels × 16 channels at once; float32 only.</summary>
    public static InstructionSet Avx2 { get; } =
        new(vectorLength: 8, mostVectors: 2, broadcast: 15, zero: 15, () => new VexAssembler(), HasAvx2);

    /// <summary>Whether this is known to be a processor without instructions for bfloat16; of others than x86 it is not known.</summary>
    public static bool LacksBfloat16 => X86Base.IsSupported && !HasBfloat16;

    /// <summary>Numbers of a vector, float32.</summary>
    public int VectorLength { get; }

    public int VectorBytes => VectorLength * sizeof(float);

    /// <summary>Register of the input of one pixel.</summary>
    public int Broadcast { get; }

    /// <summary>Register of zero, which is needed once nothing is left to be summed.</summary>
    public int Zero { get; }

    /// <summary>The best that this processor and operating system can run; null where there is none.</summary>
    public static InstructionSet? For(Precision precision) =>
        new[] { Avx512, Avx2 }.FirstOrDefault(instructions => instructions.Supports(precision));

    /// <summary>Output channels that a kernel computes, in vectors: they divide the growth rate, and with it all other numbers of channels.</summary>
    public int PanelVectors(int growthRate) => Math.Min(growthRate / VectorLength, _mostVectors);

    /// <summary>First of the registers that hold a panel's weights; those below hold sums.</summary>
    public int FirstWeight(int vectors) => Broadcast - vectors;

    /// <summary>Pixels whose sums fit into registers at once.</summary>
    public int MostPixels(int vectors) => FirstWeight(vectors) / vectors;

    /// <summary>Whether this processor and operating system can run it.</summary>
    public bool Supports(Precision precision) => OperatingSystem.IsLinux() && _hasProcessor(precision) && ExecutableCode.IsAllowed;

    public KernelAssembler CreateAssembler() => _createAssembler();

    private static bool HasAvx512(Precision precision) =>
        Avx512F.X64.IsSupported && Avx512BW.IsSupported && (precision == Precision.Fp32 || (precision == Precision.Bf16 && HasBfloat16));

    private static bool HasAvx2(Precision precision) =>
        precision == Precision.Fp32 && System.Runtime.Intrinsics.X86.Avx2.X64.IsSupported && Fma.X64.IsSupported;

    /// <summary>CPUID leaf 7, sub-leaf 1, EAX bit 5.</summary>
    private static bool HasBfloat16 => X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;
}
