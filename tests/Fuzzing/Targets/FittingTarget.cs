using System.Buffers.Binary;
using Distributed.Contracts;
using Distributed.Imaging;

namespace Distributed.Fuzzing.Targets;

/// <summary>Making images of any shape that the decoder lets through square. The input says width, height, size and mode.</summary>
internal sealed class FittingTarget : FuzzTarget
{
    private const int MostPixels = 1 << 14;

    public override string Name => "fitting";

    protected override IReadOnlyList<byte[]> Seeds => [];

    // The source as the passes take it, its rows at the target's width between them, and weights; the pool may give twice as much.
    public override long MostAllocated(int length) => 8L << 20;

    public override byte[] Create(FuzzRandom random)
    {
        var input = new byte[7];
        var width = Math.Max(ImageDecoder.MinimalSide, (int)random.Magnitude(11));
        var height = Math.Clamp(
            (int)random.Magnitude(14),
            ImageDecoder.MinimalSide,
            Math.Max(ImageDecoder.MinimalSide, MostPixels / width)
        );
        BinaryPrimitives.WriteUInt16LittleEndian(input, (ushort)(random.OneIn(2) ? width : height));
        BinaryPrimitives.WriteUInt16LittleEndian(input.AsSpan(2), (ushort)(random.OneIn(2) ? height : width));
        BinaryPrimitives.WriteUInt16LittleEndian(input.AsSpan(4), (ushort)(1 + random.Below(random.OneIn(50) ? 300 : 48)));
        input[6] = (byte)random.Below(3);
        return input;
    }

    public override bool Parse(byte[] input)
    {
        var (width, height) = (BinaryPrimitives.ReadUInt16LittleEndian(input), BinaryPrimitives.ReadUInt16LittleEndian(input.AsSpan(2)));
        var (size, mode) = (BinaryPrimitives.ReadUInt16LittleEndian(input.AsSpan(4)), (FitMode)input[6]);
        if (width * height > 2 * MostPixels)
        {
            return false;
        }

        var pixels = new byte[width * height * 3];
        Array.Fill(pixels, (byte)200);
        var square = ImageFitting.Fit(new RgbImage(width, height, pixels), size, mode);
        Promise(square.Length == size * size * 3, "the square has another size");
        // The weights of a pixel add up to one: an image of one colour keeps it.
        Promise(mode == FitMode.Pad || square.AsSpan().IndexOfAnyExcept((byte)200) < 0, "an image of one colour became another");
        return true;
    }
}
