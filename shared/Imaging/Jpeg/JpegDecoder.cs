using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Distributed.Imaging.Jpeg;

/// <summary>
/// Decodes the JPEG files that nearly all photos are, to the pixels of libjpeg, bit for bit, and faster. Whatever is unusual about a file, or wrong
/// with it, is left to the codec of all other formats, which then says what it is.
/// </summary>
internal static class JpegDecoder
{
    private const int BlockSide = 8;

    /// <summary>Whether it can decode on this processor.</summary>
    public static bool IsSupported => Avx2.IsSupported;

    /// <summary>Decodes a file.</summary>
    /// <param name="header">What stands before its data.</param>
    /// <param name="file">The whole file.</param>
    /// <param name="scale">Pixels of the file that become one, on a side: 1, 2, 4 or 8.</param>
    /// <returns>The image as it is stored; null where something is wrong with the file.</returns>
    public static RgbaImage? Decode(JpegHeader header, ReadOnlySpan<byte> file, int scale)
    {
        // No unescaped data are longer than the file's.
        var data = PixelMemory.Rent(file.Length - header.DataBegin + EntropyDecoder.Spare);
        try
        {
            var ends = Unescape(file[header.DataBegin..], data, header.RestartInterval > 0);
            if (ends is null)
            {
                return null;
            }

            using var planes = new JpegPlanes(header, scale);
            return ReadBlocks(header, data, ends, planes) ? planes.ToRgba() : null;
        }
        finally
        {
            PixelMemory.Return(data);
        }
    }

    /// <summary>Takes the escape bytes and restart markers out of the data of a scan.</summary>
    /// <returns>Where the data end before each restart, and at last; null where anything but the end of the image follows.</returns>
    private static List<int>? Unescape(ReadOnlySpan<byte> source, Span<byte> target, bool hasRestarts)
    {
        var ends = new List<int>();
        for (var length = 0; ; )
        {
            var run = source.IndexOf(JpegMarker.Escape);
            if (run < 0 || run + 1 >= source.Length)
            {
                return null;
            }

            var marker = source[run + 1];
            var isData = marker == 0;
            var taken = isData ? run + 1 : run;
            source[..taken].CopyTo(target[length..]);
            length += taken;
            source = source[(run + 2)..];
            if (isData)
            {
                continue;
            }

            ends.Add(length);
            if (marker == JpegMarker.EndOfImage)
            {
                target.Slice(length, EntropyDecoder.Spare).Clear();
                return ends;
            }

            if (!hasRestarts || marker != JpegMarker.FirstRestart + ((ends.Count - 1) % 8))
            {
                return null;
            }
        }
    }

    private static bool ReadBlocks(JpegHeader header, ReadOnlySpan<byte> data, List<int> ends, JpegPlanes planes)
    {
        var decoder = new EntropyDecoder(data);
        Span<int> coefficients = stackalloc int[BlockSide * BlockSide];
        coefficients.Clear();
        Span<int> previous = stackalloc int[header.Components.Count];
        previous.Clear();
        var (part, left) = (0, header.RestartInterval);
        for (var row = 0; row < planes.UnitRows; row++)
        {
            for (var column = 0; column < planes.UnitColumns; column++, left--)
            {
                if (left == 0 && header.RestartInterval > 0)
                {
                    if (part + 1 >= ends.Count)
                    {
                        return false;
                    }

                    decoder.Start(ends[part++]);
                    previous.Clear();
                    left = header.RestartInterval;
                }

                ReadUnit(ref decoder, planes, row, column, previous, coefficients);
                if (!decoder.IsInside(ends[part]))
                {
                    return false;
                }
            }
        }

        return part == ends.Count - 1;
    }

    private static void ReadUnit(
        ref EntropyDecoder decoder,
        JpegPlanes planes,
        int row,
        int column,
        scoped Span<int> previous,
        scoped Span<int> coefficients
    )
    {
        ref var block = ref MemoryMarshal.GetReference(coefficients);
        for (var i = 0; i < planes.All.Length; i++)
        {
            var plane = planes.All[i];
            ref var first = ref plane.FirstSample;
            for (var y = 0; y < plane.Vertical; y++)
            {
                for (var x = 0; x < plane.Horizontal; x++)
                {
                    var count = decoder.ReadBlock(plane.FirstCodes, plane.OtherCodes, ref plane.FirstStep, ref previous[i], ref block);
                    ref var samples = ref Unsafe.Add(
                        ref first,
                        ((((nint)row * plane.Vertical) + y) * plane.BlockSize * plane.Stride)
                            + ((((nint)column * plane.Horizontal) + x) * plane.BlockSize)
                    );
                    if (count == 1 || plane.BlockSize == 1)
                    {
                        InverseTransform.Fill(block, plane.BlockSize, ref samples, plane.Stride);
                    }
                    else
                    {
                        InverseTransform.Transform(ref block, plane.BlockSize, ref samples, plane.Stride);
                    }

                    if (count == 1)
                    {
                        block = 0;
                    }
                    else
                    {
                        Clear(ref block);
                    }
                }
            }
        }
    }

    /// <summary>A block is cleared so often that a call would be felt.</summary>
    private static void Clear(ref int block)
    {
        for (nuint at = 0; at < BlockSide * BlockSide; at += (nuint)Vector256<int>.Count)
        {
            Vector256<int>.Zero.StoreUnsafe(ref block, at);
        }
    }
}
