using System.Security.Cryptography;
using System.Text.Json;

namespace Distributed.Imaging.Tests;

/// <summary>Values of PIL and torchvision, written by Golden/generate.py.</summary>
internal sealed record GoldenFile(
    IReadOnlyList<GoldenDecoding> Decoding,
    IReadOnlyList<GoldenResampling> Resampling,
    IReadOnlyList<GoldenFitting> Fitting
)
{
    public static GoldenFile Values { get; } =
        JsonSerializer.Deserialize<GoldenFile>(
            File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", "golden.json")),
            JsonSerializerOptions.Web
        )!;

    /// <summary>The same formula as in generate.py.</summary>
    public static RgbImage Pattern(int width, int height)
    {
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            var mixed = unchecked((uint)i * 2654435761);
            mixed ^= mixed >> 15;
            mixed = unchecked(mixed * 2246822519);
            var noise = (byte)(mixed >> 24);
            pixels[i] =
                (i / 96) % 2 == 0 ? noise
                : noise > 127 ? (byte)255
                : (byte)((i / 3) % 64);
        }

        return new RgbImage(width, height, pixels);
    }

    public static void AssertSame(string sha256, int[] head, byte[] pixels)
    {
        Assert.Equal(head, pixels.Take(head.Length).Select(value => (int)value));
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(pixels)));
    }

    public static GoldenDecoding Decoded(string name) => Values.Decoding.Single(golden => golden.Name == name);
}

internal sealed record GoldenDecoding(string Name, byte[] File, int Width, int Height, byte[] Pixels, int Tolerance);

internal sealed record GoldenResampling(string Filter, int[] From, int[] To, string Sha256, int[] Head);

internal sealed record GoldenFitting(string Mode, int[] From, int Size, string Sha256, int[] Head);
