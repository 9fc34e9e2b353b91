using System.Security.Cryptography;
using Distributed.Vision.Engines;

namespace Distributed.Vision.Tests.Engines;

/// <summary>The machine code of the kernels.</summary>
public sealed class KernelTests
{
    /// <summary>Precision, vectors, pixels, segments, bias and rectifier; the first half of the SHA-256 of the code.</summary>
    public static TheoryData<bool, int, int, int, bool, string> Avx512Kernels =>
        new()
        {
            { false, 2, 14, 1, true, "fcebb85e106fb01f8742323b60522980" },
            { false, 2, 14, 3, false, "c8f81112e6e73b3a0b0f4974a6775e43" },
            { false, 2, 12, 7, true, "88d6a41205a117a6b53e28ca16bdae89" },
            { false, 2, 1, 1, false, "8ff11382732ec61867ddbb9434745f5c" },
            { false, 3, 9, 1, true, "7ed1d71a84d452691d8b47370bedcab5" },
            { false, 3, 9, 3, false, "b22c6134cdacdcaefc8f07ab5d07bf97" },
            { false, 3, 8, 7, true, "b70c9513d51aeb4eae856cba5bc769ff" },
            { true, 2, 14, 1, true, "2a54fc49848ba474ac694809ee490bb4" },
            { true, 2, 14, 3, false, "7b0456febcfd1b256dca8497b83f5e82" },
            { true, 2, 12, 7, true, "e4e34810c2a8e54ddd17c2f4fcdda0e8" },
            { true, 2, 1, 1, false, "7135e5db996f3771f8859f86b776faf5" },
            { true, 3, 9, 1, true, "3aad2a47d9ac7fd09213334c51e8fcf0" },
            { true, 3, 9, 3, false, "6b7e92fdff93ff03cad8098cea12ecf7" },
            { true, 3, 8, 7, true, "57b41ac6b5a971724d881425cabd2f8a" },
        };

    [Theory]
    [MemberData(nameof(Avx512Kernels))]
    public void The_code_of_AVX512_kernels_is_the_one_that_was_measured(
        bool bf16,
        int vectors,
        int pixels,
        int segments,
        bool biasAndRelu,
        string sha256
    )
    {
        Assert.Equal(sha256, Hash(ConvolutionKernel.Assemble(Shape(bf16, vectors, pixels, segments, biasAndRelu))));
    }

    [Fact]
    public void The_code_of_Winograds_kernels_is_the_one_that_was_measured()
    {
        var product = Shape(bf16: true, 2, 12, 1, biasAndRelu: false) with { Float32Outputs = true, PrefetchDistance = 8192 };
        var bottleneck = Shape(bf16: true, 2, 14, 1, biasAndRelu: true) with { Float32Outputs = true, PrefetchDistance = 4096 };

        Assert.Equal(
            "5f7c30cab18dddaefaad548008fd5944",
            Hash([
                .. ConvolutionKernel.Assemble(product),
                .. ConvolutionKernel.Assemble(bottleneck),
                .. WinogradInputKernel.Assemble(12, 128, 3072, sum: true),
                .. WinogradInputKernel.Assemble(9, 192, 3456, sum: false),
            ])
        );
    }

    [Theory]
    [InlineData(6, 1, 4, true, false)]
    [InlineData(6, 3, 8, false, false)]
    [InlineData(5, 7, 3, true, false)]
    [InlineData(1, 1, 1, false, false)]
    [InlineData(6, 3, 2, true, true)]
    [InlineData(2, 1, 4, false, true)]
    public unsafe void Kernels_sum_products_over_all_segments(int pixels, int segments, int iterations, bool biasAndRelu, bool adds)
    {
        const int Unroll = 2,
            Stride = 40,
            SegmentStride = 300;
        foreach (var instructions in new[] { InstructionSet.Avx512, InstructionSet.Avx2 }.Where(set => set.Supports(Precision.Fp32)))
        {
            var (vectors, channels, steps) = (2, 2 * instructions.VectorLength, Unroll * iterations);
            var random = new Random(pixels);
            float Next() => (random.NextSingle() * 2) - 1;
            using var input = new NativeBuffer(sizeof(float) * SegmentStride * segments);
            using var weights = new NativeBuffer(sizeof(float) * channels * steps * segments);
            using var bias = new NativeBuffer(sizeof(float) * channels);
            using var output = new NativeBuffer(sizeof(float) * channels * pixels);
            foreach (var buffer in new[] { input, weights, bias, output })
            {
                for (var i = 0; i < buffer.Length / sizeof(float); i++)
                {
                    buffer.Floats[i] = Next();
                }
            }

            int[] Every(int stride) => [.. Enumerable.Range(0, pixels).Select(pixel => pixel * stride * sizeof(float))];
            using var kernel = new ConvolutionKernel(
                new KernelShape(
                    instructions,
                    Bf16: false,
                    vectors,
                    Every(Stride),
                    Every(channels),
                    Unroll,
                    segments,
                    SegmentStride * sizeof(float),
                    biasAndRelu,
                    biasAndRelu
                )
                {
                    AddsToOutput = adds,
                }
            );
            var before = new Span<float>(output.Floats, pixels * channels).ToArray();
            kernel.Run(input.Pointer, weights.Pointer, output.Pointer, bias.Floats, iterations);

            for (var i = 0; i < pixels * channels; i++)
            {
                var (pixel, channel) = (i / channels, i % channels);
                var sum = (biasAndRelu ? bias.Floats[channel] : 0.0) + (adds ? before[i] : 0);
                for (var step = 0; step < segments * steps; step++)
                {
                    sum +=
                        input.Floats[(step / steps * SegmentStride) + (pixel * Stride) + (step % steps)]
                        * weights.Floats[(step * channels) + channel];
                }

                Assert.Equal(biasAndRelu ? Math.Max(0, sum) : sum, output.Floats[i], 1e-5);
            }
        }
    }

    private static string Hash(byte[] code) => Convert.ToHexStringLower(SHA256.HashData(code))[..32];

    private static KernelShape Shape(bool bf16, int vectors, int pixels, int segments, bool biasAndRelu)
    {
        int[] inputs = [.. Enumerable.Range(0, pixels).Select(pixel => ((pixel / 4) * 70_000) + (pixel % 4 * 576))];
        int[] outputs = [.. Enumerable.Range(0, pixels).Select(pixel => pixel * 1024)];
        return new KernelShape(
            InstructionSet.Avx512,
            bf16,
            vectors,
            inputs,
            outputs,
            segments == 7 ? 11 : 8,
            segments,
            segments == 1 ? 0 : 70_000,
            biasAndRelu,
            biasAndRelu
        );
    }
}
