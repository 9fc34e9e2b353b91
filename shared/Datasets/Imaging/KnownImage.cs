using Distributed.Imaging;

namespace Distributed.Datasets.Imaging;

/// <summary>A small image whose pixels are known: a decoder that does not make these of it is broken, and no image is to blame.</summary>
public static class KnownImage
{
    private const int Side = 16;

    /// <summary>A PNG of 16 × 16 pixels, written out here since what is to be proved must not have written it.</summary>
    private static readonly byte[] File = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAByElEQVR42g2SURHAMAhDkYAEJFQCEpCAhElAAhKQUAlIQAISKmHZx27XMpI8ICJiYiE5dJTU"
            + "yJz8oy8okrKoLt2mHpqlffRQjoeEz2FRNmN1/j724EyO4nu5mme4l9/jJRJhOSJ0hFXc5HPRTyykUm5JXMmWHXkr/WSI0Br1eB3S89lxP/YdjXPzVJ28J/q8"
            + "Obtn3mkiVVYT9aOfKpmyq3x6Qjt1Svfqa43RXK2nlwi2TQVNzRWfRm4QkrBJ67J3bdtyLNbusyJyZ//E9bipizk80eccvumvvK9Pe43f9XieRECCnDAPR5DB"
            + "vzj4KL6X39Y39+v+7ny1Xz7QpgiOlKgTV6MtxmO/eBGUwRVy43TohG34i48IuDMEMLIUVrMdjXIDx0mVgCWdCKSbEHWiKq4rFadSa62eV381UZIFrnSLu3wK"
            + "/vSVEWGUmA+g31BgQDYYvh2QRB9cXuqLKL4XyJSom3uk9/TTDuv0rq9vtGZbtd9GaprmbXl9iLAm04IhzirQTzjATAXijBbExhslQzsYuBDt8j7ZPju6ZQvt"
            + "+DZjPRcs9a71yix2g94yEVYQe4VlwQZgrJgVBgCqQIX8CAWnkEdPFD76AU9OaBB/sIpCAAAAAElFTkSuQmCC"
    );

    private static readonly byte[] Pixels = [.. Enumerable.Range(0, Side * Side).SelectMany(PixelAt)];

    /// <summary>Lets the image be decoded.</summary>
    /// <param name="decoding">Who is to show that it can.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="DecoderUnavailableException">It cannot. The message says what fails.</exception>
    public static async Task ProveAsync(IImageDecoding decoding, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(decoding);
        SquareImage image;
        try
        {
            image = await decoding.DecodeAsync(File, new ImagePreparation(Side, FitMode.Crop, JpegDecoding.Full), cancellationToken);
        }
        catch (Exception exception) when (exception is not (DecoderUnavailableException or OperationCanceledException))
        {
            throw new DecoderUnavailableException($"A known image cannot be decoded: {exception.GetBaseException().Message}", exception);
        }

        if (image.Width != Side || image.Height != Side || !image.Pixels.AsSpan().SequenceEqual(Pixels))
        {
            throw new DecoderUnavailableException("A known image is decoded to other pixels than its own.");
        }
    }

    private static byte[] PixelAt(int index)
    {
        var (y, x) = Math.DivRem(index, Side);
        return [(byte)(x * Side), (byte)(y * Side), (byte)((x ^ y) * Side)];
    }
}
