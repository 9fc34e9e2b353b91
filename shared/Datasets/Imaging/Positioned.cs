using Microsoft.Win32.SafeHandles;

namespace Distributed.Datasets.Imaging;

/// <summary>Positioned reads: a lost or shortened file is an error here, where it would end the process through a memory map.</summary>
internal static class Positioned
{
    /// <summary>Fills the buffer from a position on, and says how much of it; less than all only where the file ends.</summary>
    public static async ValueTask<int> ReadAsync(
        SafeFileHandle handle,
        Memory<byte> buffer,
        long position,
        CancellationToken cancellationToken
    )
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var read = await RandomAccess.ReadAsync(handle, buffer[filled..], position + filled, cancellationToken);
            if (read == 0)
            {
                break;
            }

            filled += read;
        }

        return filled;
    }
}
