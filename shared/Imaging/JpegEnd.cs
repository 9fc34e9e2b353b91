using Distributed.Imaging.Jpeg;

namespace Distributed.Imaging;

/// <summary>Whether a JPEG file has its end. The codec takes a progressive one without its later scans for whole, and shows it blurred.</summary>
internal static class JpegEnd
{
    /// <summary>Walks from marker to marker (ITU-T T.81, annex B) to the end-of-image marker. Searching for its bytes alone would find that of a preview in the metadata.</summary>
    public static bool IsThere(ReadOnlySpan<byte> file)
    {
        for (var at = 2; ; )
        {
            // Image data up to the next marker is passed over, too: a zero behind the escape byte belongs to the data.
            var next = file[at..].IndexOf(JpegMarker.Escape);
            if (next < 0 || at + next + 1 >= file.Length)
            {
                return false;
            }

            at += next + 1;
            var marker = file[at];
            if (marker == JpegMarker.EndOfImage)
            {
                return true;
            }

            if (marker == JpegMarker.Escape)
            {
                continue;
            }

            at++;
            if (JpegMarker.HasLength(marker))
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
}
