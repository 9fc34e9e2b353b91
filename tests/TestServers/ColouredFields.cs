using Distributed.Imaging;

namespace Distributed.TestServers;

/// <summary>Draws images of fields in random colours: no two are alike, and any base tells them apart.</summary>
public static class ColouredFields
{
    private const int Fields = 4;

    /// <summary>A PNG file.</summary>
    /// <param name="seed">Decides the colours.</param>
    /// <param name="width">Pixels.</param>
    /// <param name="height">Pixels.</param>
    public static byte[] Draw(int seed, int width = 96, int height = 96)
    {
        var random = new Random(seed);
        var colours = new byte[Fields * Fields * 3];
        random.NextBytes(colours);
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (x, y) = (i / 3 % width * Fields / width, i / 3 / width * Fields / height);
            pixels[i] = colours[(((y * Fields) + x) * 3) + (i % 3)];
        }

        return PngEncoder.Encode(pixels, width, height);
    }
}
