using System.Runtime.InteropServices;
using System.Text;
using Distributed.Imaging;

namespace Distributed.Datasets.Imaging;

/// <summary>The other end of <see cref="IsolatedImageDecoding"/>: decodes what comes in, one image at a time, until the input ends.</summary>
public static class DecodingServer
{
    /// <summary>What it says first.</summary>
    internal const byte Ready = 0xA5;

    /// <summary>The size that asks for no image, but for the memory that the largest image takes.</summary>
    internal const int SizeOfMemory = 0;

    internal const byte Decoded = 0;
    internal const byte Rejected = 1;

    /// <summary>Answers requests until the host ends: length, size, fit, decoding, resampling as 32-bit integers and the crop share as a 64-bit number, then the file.</summary>
    /// <param name="input">Where requests come from.</param>
    /// <param name="output">Where answers go.</param>
    /// <param name="decode">The decoder.</param>
    public static void Run(Stream input, Stream output, DecodeImage decode)
    {
        try
        {
            Serve(input, output, decode);
        }
        catch (IOException)
        {
            // The host has ended in the middle of a request, or before its answer: nobody waits for it.
        }
    }

    private static void Serve(Stream input, Stream output, DecodeImage decode)
    {
        using var reader = new BinaryReader(input, Encoding.UTF8);
        using var writer = new BinaryWriter(output, Encoding.UTF8);
        writer.Write(Ready);
        writer.Flush();
        var length = new byte[sizeof(int)];
        while (input.ReadAtLeast(length, length.Length, throwOnEndOfStream: false) == length.Length)
        {
            var preparation = new ImagePreparation(reader.ReadInt32(), (FitMode)reader.ReadInt32(), (JpegDecoding)reader.ReadInt32())
            {
                Resampling = (ResampleFilter)reader.ReadInt32(),
                CropShare = reader.ReadDouble(),
            };
            var encoded = new byte[BitConverter.ToInt32(length)];
            input.ReadExactly(encoded);
            if (preparation.Size == SizeOfMemory)
            {
                UseMemory();
                writer.Write(Decoded);
                writer.Write(0);
                writer.Write(0);
            }
            else
            {
                Answer(decode, encoded, preparation, writer);
            }

            writer.Flush();
        }
    }

    /// <summary>
    /// Takes the memory of the largest image, page by page, and releases it. Where there is too little, this process ends here, over no image.
    /// </summary>
    private static unsafe void UseMemory()
    {
        const nuint length = (nuint)(ImageDecoder.MaximalPixels * ImageDecoder.BytesAPixel),
            page = 4096;
        var memory = (byte*)NativeMemory.Alloc(length);
        for (nuint at = 0; at < length; at += page)
        {
            memory[at] = 1;
        }

        NativeMemory.Free(memory);
    }

    private static void Answer(DecodeImage decode, byte[] encoded, ImagePreparation preparation, BinaryWriter writer)
    {
        try
        {
            var image = decode(encoded, preparation);
            writer.Write(Decoded);
            writer.Write(image.Width);
            writer.Write(image.Height);
            writer.Write(image.Pixels);
        }
        catch (ImageRejectedException rejected)
        {
            var reason = Encoding.UTF8.GetBytes(rejected.Message);
            writer.Write(Rejected);
            writer.Write(reason.Length);
            writer.Write((int)rejected.Reason);
            writer.Write(reason);
        }
    }
}
