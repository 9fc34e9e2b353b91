using System.Buffers;

namespace Distributed.Imaging;

/// <summary>Memory for the pixels of an image, which the next image uses again. That of the largest ones is not kept.</summary>
internal static class PixelMemory
{
    /// <summary>As much as a photo of eight megapixels takes; a process keeps a few of these for each of its threads.</summary>
    private const int MostKept = 1 << 25;

    /// <summary>Gets memory, whose content is anything.</summary>
    /// <param name="bytes">The least number of bytes.</param>
    public static byte[] Rent(int bytes) =>
        bytes <= MostKept ? ArrayPool<byte>.Shared.Rent(bytes) : GC.AllocateUninitializedArray<byte>(bytes);

    /// <summary>Gives memory back.</summary>
    public static void Return(byte[] memory)
    {
        if (memory.Length <= MostKept)
        {
            ArrayPool<byte>.Shared.Return(memory);
        }
    }
}
