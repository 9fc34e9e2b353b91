namespace Distributed.Imaging;

/// <summary>Whether a JPEG file has its end. The codec takes a progressive one without its later scans for whole, and shows it blurred.</summary>
internal static class JpegEnd
{
    private const byte Escape = 0xFF;
    private const byte StartOfImage = 0xD8;
    private const byte EndOfImage = 0xD9;

    /// <summary>Walks from marker to marker (ITU-T T.81, annex B) to the end-of-image marker. Searching for its bytes alone would find that of a preview in the metadata.</summary>
    public static bool IsThere(ReadOnlySpan<byte> file)
    {
        for (var at = 2; ; )
        {
            // Image data up to the next marker is passed over, too: a zero behind the escape byte belongs to the data.
            var next = file[at..].IndexOf(Escape);
            if (next < 0 || at + next + 1 >= file.Length)
            {
                return false;
            }

            at += next + 1;
            var marker = file[at];
            if (marker == EndOfImage)
            {
                return true;
            }

            if (marker is Escape)
            {
                continue;
            }

            at++;
            if (HasLength(marker))
            {
                if (at + 2 > file.Length)
                {
                    return false;
                }

                at += (file[at] << 8) | file[at + 1];
                if (at > file.Length)
                {
                    return false;
                }
            }
        }
    }

    // Zero is no marker, 1 is reserved for arithmetic coding, and the restart markers stand alone amid image data.
    private static bool HasLength(byte marker) => marker is not (0x00 or 0x01 or (>= 0xD0 and <= StartOfImage));
}
