using Distributed.Vision.Engines;

namespace Distributed.Vision.Tests.Engines;

/// <summary>Winograd's 3×3 convolution against the sum that it stands for.</summary>
public sealed unsafe class WinogradTests
{
    private const int Unroll = 8;

    /// <summary>Height, width, inputs, outputs, vectors of a panel.</summary>
    public static TheoryData<int, int, int, int, int> Cases =>
        new()
        {
            { 24, 24, 128, 32, 2 },
            { 12, 12, 128, 32, 2 },
            { 6, 6, 128, 32, 2 },
            { 7, 7, 128, 32, 2 },
            { 4, 4, 128, 32, 2 },
            { 5, 31, 128, 32, 2 },
            { 33, 4, 128, 32, 2 },
            { 24, 24, 192, 48, 3 },
            { 15, 15, 192, 48, 3 },
            { 6, 6, 192, 48, 3 },
            { 9, 10, 64, 64, 2 },
        };

    [Theory]
    [MemberData(nameof(Cases))]
    public void It_gives_the_sums_of_a_direct_convolution(int height, int width, int inputs, int outputs, int vectors)
    {
        Assert.SkipUnless(InstructionSet.Avx512.Supports(Precision.Bf16), "This processor has no products of bfloat16.");
        // Numbers whose transforms are exact in bfloat16 and whose sums are in float32: all that is rounded is the result.
        var random = new Random(height * width);
        var weights = Enumerable.Range(0, outputs * inputs * 9).Select(_ => 4f * random.Next(-1, 2)).ToArray();
        using var winograd = new WinogradConvolution(InstructionSet.Avx512, vectors, height, width, inputs, outputs, Unroll);
        using var packed = new PackedConvolution(
            WinogradTransform.Weights(weights),
            WinogradTransform.Positions * outputs,
            inputs,
            1,
            vectors * InstructionSet.Avx512.VectorLength,
            bf16: true,
            bias: null
        );
        using var padded = new NativeBuffer(winograd.Inputs.Bytes);
        for (var y = 1; y <= height; y++)
        {
            for (var i = 0; i < width * inputs; i++)
            {
                ((float*)(padded.Pointer + winograd.Inputs.Offset(y, 1)))[i] = random.Next(8);
            }
        }

        // The outputs are some channels of wider pixels.
        const ushort Untouched = 0x1234;
        var stride = outputs + 16;
        using var output = new NativeBuffer(sizeof(ushort) * stride * height * width);
        var found = new Span<ushort>(output.Pointer, stride * height * width);
        found.Fill(Untouched);
        using var scratch = new NativeBuffer(winograd.ScratchBytes);
        foreach (var band in winograd.Tiles.Bands)
        {
            winograd.Run(packed, band, padded.Pointer, output.Pointer, stride * sizeof(ushort), scratch.Pointer);
        }

        for (var at = 0; at < found.Length; at++)
        {
            var (y, x, channel) = (at / stride / width, at / stride % width, at % stride);
            if (channel >= outputs)
            {
                Assert.Equal(Untouched, found[at]);
                continue;
            }

            var sum = Sum(weights, (float*)padded.Pointer, winograd.Inputs, y, x, channel);
            Assert.Equal(sum, BitConverter.Int32BitsToSingle(found[at] << 16), Math.Abs(sum) / 256);
        }
    }

    private static double Sum(float[] weights, float* padded, PaddedMap map, int y, int x, int channel)
    {
        var sum = 0.0;
        for (var row = 0; row < 3; row++)
        {
            for (var column = 0; column < 3; column++)
            {
                var pixel = padded + (map.Offset(y + row, x + column) / sizeof(float));
                for (var input = 0; input < map.Channels; input++)
                {
                    sum += pixel[input] * weights[((((channel * map.Channels) + input) * 3) + row) * 3 + column];
                }
            }
        }

        return sum;
    }
}
