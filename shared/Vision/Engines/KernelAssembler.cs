using System.Buffers.Binary;

namespace Distributed.Vision.Engines;

/// <summary>General registers that kernels use, by their number in the instruction set.</summary>
internal enum Register
{
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
}

/// <summary>
/// Writes the few machine instructions that the kernels consist of (Intel 64 and IA-32 Architectures Software Developer's
/// Manual, volume 2). It exists because .NET 10 does not offer VDPBF16PS, and because its register allocator does not keep
/// the accumulators in registers. AVX2 and AVX-512 differ in how an instruction's prefix is written, and in nothing else.
/// </summary>
internal abstract class KernelAssembler
{
    private const byte Map0F = 1,
        Map0F38 = 2;
    private const byte NoPrefix = 0,
        Prefix66 = 1,
        PrefixF3 = 2,
        PrefixF2 = 3;

    private readonly List<byte> _code = [];

    /// <summary>Where the next instruction will be.</summary>
    public int Position => _code.Count;

    public byte[] ToArray() => [.. _code];

    public void Load(int target, Register address, int offset) => Memory(NoPrefix, Map0F, 0x10, half: false, target, address, offset);

    public void Store(int source, Register address, int offset) => Memory(NoPrefix, Map0F, 0x11, half: false, source, address, offset);

    public void StoreHalf(int source, Register address, int offset) => Memory(NoPrefix, Map0F, 0x11, half: true, source, address, offset);

    /// <summary>Half a vector of bfloat16 to a vector of float32: each becomes the upper half of its number; AVX-512 only.</summary>
    public void LoadBfloat16(int target, Register address, int offset)
    {
        // VPMOVZXWD, then VPSLLD, whose target is where others have their first source.
        const byte Bits = 16;
        Memory(Prefix66, Map0F38, 0x33, half: false, target, address, offset);
        Vectors(Prefix66, Map0F, 0x72, 6, target, target);
        Write([Bits]);
    }

    /// <summary>32 bits to every element of a vector.</summary>
    public void Broadcast(int target, Register address, int offset) =>
        Memory(Prefix66, Map0F38, 0x18, half: false, target, address, offset);

    /// <summary>Fetches a cache line into the first-level cache; addresses without memory are passed over. The registers are the first eight.</summary>
    public void Prefetch(Register address, int offset)
    {
        Write([0x0F, 0x18, (byte)(0x88 | Low(address))]);
        Int32(offset);
    }

    public void Copy(int target, int source) => Vectors(NoPrefix, Map0F, 0x28, target, 0, source);

    public void Xor(int target, int left, int right) => Vectors(Prefix66, Map0F, 0xEF, target, left, right);

    public void Max(int target, int left, int right) => Vectors(NoPrefix, Map0F, 0x5F, target, left, right);

    public void Add(int sum, int left, int right) => Vectors(NoPrefix, Map0F, 0x58, sum, left, right);

    public void Subtract(int difference, int left, int right) => Vectors(NoPrefix, Map0F, 0x5C, difference, left, right);

    /// <summary>sum += left × right, float32.</summary>
    public void MultiplyAdd(int sum, int left, int right) => Vectors(Prefix66, Map0F38, 0xB8, sum, left, right);

    /// <summary>sum += the products of the pairs of bfloat16 in every lane, float32; AVX-512 only.</summary>
    public void MultiplyAddPairs(int sum, int left, int right) => Vectors(PrefixF3, Map0F38, 0x52, sum, left, right);

    /// <summary>float32 to bfloat16, rounded to nearest, half as wide; AVX-512 only.</summary>
    public void ToBfloat16(int target, int source) => Vectors(PrefixF3, Map0F38, 0x72, target, 0, source);

    /// <summary>Two vectors of float32 to one of bfloat16, rounded to nearest; AVX-512 only.</summary>
    public void ToBfloat16(int target, int lower, int upper) => Vectors(PrefixF2, Map0F38, 0x72, target, upper, lower);

    public void Add(Register target, int value)
    {
        Write([(byte)(0x48 | High(target)), 0x81, (byte)(0xC0 | Low(target))]);
        Int32(value);
    }

    public void Move(Register target, Register source) =>
        Write([(byte)(0x48 | (High(source) << 2) | High(target)), 0x89, (byte)(0xC0 | (Low(source) << 3) | Low(target))]);

    public void Move(Register target, int value)
    {
        Write([(byte)(0x48 | High(target)), 0xC7, (byte)(0xC0 | Low(target))]);
        Int32(value);
    }

    /// <summary>Counts down, and goes back to a position until zero is reached.</summary>
    public void LoopBack(Register counter, int position)
    {
        Write([(byte)(0x48 | High(counter)), 0xFF, (byte)(0xC8 | Low(counter)), 0x0F, 0x85]);
        Int32(position - (_code.Count + sizeof(int)));
    }

    /// <summary>VZEROUPPER, without which SSE code that follows is slow, and RET.</summary>
    public void Return() => Write([0xC5, 0xF8, 0x77, 0xC3]);

    /// <summary>Writes all that comes before an instruction's operands. Prefixes keep the high bits of register numbers inverted.</summary>
    /// <param name="prefix">Legacy prefix that is part of the opcode.</param>
    /// <param name="map">Opcode map.</param>
    /// <param name="opcode">In its map.</param>
    /// <param name="half">Half a vector.</param>
    /// <param name="register">Operand of the field reg.</param>
    /// <param name="left">First source operand; 0 where there is none.</param>
    /// <param name="b">Fourth bit of the field r/m.</param>
    /// <param name="x">Fifth bit of the field r/m.</param>
    protected abstract void Begin(byte prefix, byte map, byte opcode, bool half, int register, int left, int b, int x);

    protected void Write(ReadOnlySpan<byte> bytes) => _code.AddRange(bytes);

    private static int High(Register register) => (int)register >> 3;

    private static int Low(Register register) => (int)register & 7;

    private void Memory(byte prefix, byte map, byte opcode, bool half, int vector, Register address, int offset)
    {
        Begin(prefix, map, opcode, half, vector, 0, b: High(address), x: 0);
        // A displacement of 32 bits is never scaled, unlike AVX-512's of 8.
        Write([(byte)(0x80 | ((vector & 7) << 3) | Low(address))]);
        Int32(offset);
    }

    private void Vectors(byte prefix, byte map, byte opcode, int target, int left, int right)
    {
        Begin(prefix, map, opcode, half: false, target, left, b: (right >> 3) & 1, x: (right >> 4) & 1);
        Write([(byte)(0xC0 | ((target & 7) << 3) | (right & 7))]);
    }

    private void Int32(int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        Write(bytes);
    }
}

/// <summary>AVX2 and FMA: 16 registers of 256 bits, VEX prefixes.</summary>
internal sealed class VexAssembler : KernelAssembler
{
    protected override void Begin(byte prefix, byte map, byte opcode, bool half, int register, int left, int b, int x)
    {
        var r = ((~register >> 3) & 1) << 7;
        var length = half ? 0 : 1;
        Write([0xC4, (byte)(r | ((x ^ 1) << 6) | ((b ^ 1) << 5) | map), (byte)(((~left & 15) << 3) | (length << 2) | prefix), opcode]);
    }
}

/// <summary>AVX-512: 32 registers of 512 bits, EVEX prefixes.</summary>
internal sealed class EvexAssembler : KernelAssembler
{
    protected override void Begin(byte prefix, byte map, byte opcode, bool half, int register, int left, int b, int x)
    {
        var r = ((~register >> 3) & 1) << 7;
        var r2 = ((~register >> 4) & 1) << 4;
        var length = half ? 1 : 2;
        Write([
            0x62,
            (byte)(r | ((x ^ 1) << 6) | ((b ^ 1) << 5) | r2 | map),
            (byte)(((~left & 15) << 3) | 4 | prefix),
            (byte)((length << 5) | (((~left >> 4) & 1) << 3)),
            opcode,
        ]);
    }
}
