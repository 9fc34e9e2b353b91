using System.Text;

namespace Distributed.Storage;

/// <summary>The formats that are recognised by some bytes at a fixed place, as their specifications give them.</summary>
internal static class FileSignatures
{
    private static readonly (int Offset, byte[] Bytes, FileFormat Format)[] All =
    [
        // Images that are decoded.
        (0, [0xFF, 0xD8, 0xFF], FileFormats.Jpeg),
        (0, [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A], FileFormats.Png),
        (0, Ascii("GIF87a"), new("a GIF image", FileKind.Image)),
        (0, Ascii("GIF89a"), new("a GIF image", FileKind.Image)),
        // Images that are not.
        (
            0,
            [0, 0, 0, 0x0C, (byte)'J', (byte)'X', (byte)'L', (byte)' ', 0x0D, 0x0A, 0x87, 0x0A],
            FileFormat.Foreign("a JPEG XL image", "jxl")
        ),
        (0, [0xFF, 0x0A], FileFormat.Foreign("a JPEG XL image", "jxl")),
        (
            0,
            [0, 0, 0, 0x0C, (byte)'j', (byte)'P', (byte)' ', (byte)' ', 0x0D, 0x0A, 0x87, 0x0A],
            FileFormat.Foreign("a JPEG 2000 image", "jp2")
        ),
        (0, [0xFF, 0x4F, 0xFF, 0x51], FileFormat.Foreign("a JPEG 2000 image", "jp2")),
        (0, [(byte)'I', (byte)'I', 0xBC], FileFormat.Foreign("a JPEG XR image", "jxr")),
        (8, Ascii("CR\u0002"), FileFormat.CameraRaw("CR2")),
        (0, [(byte)'I', (byte)'I', (byte)'R', (byte)'O'], FileFormat.CameraRaw("ORF")),
        (0, [(byte)'I', (byte)'I', (byte)'R', (byte)'S'], FileFormat.CameraRaw("ORF")),
        (0, [(byte)'I', (byte)'I', (byte)'U', 0], FileFormat.CameraRaw("RW2")),
        (0, Ascii("FUJIFILMCCD-RAW"), FileFormat.CameraRaw("RAF")),
        (0, Ascii("FOVb"), FileFormat.CameraRaw("X3F")),
        (0, [(byte)'I', (byte)'I', 42, 0], TiffFormats.Tiff),
        (0, [(byte)'M', (byte)'M', 0, 42], TiffFormats.Tiff),
        (0, [(byte)'I', (byte)'I', 43, 0], TiffFormats.Tiff),
        (0, [(byte)'M', (byte)'M', 0, 43], TiffFormats.Tiff),
        (0, Ascii("8BPS"), FileFormat.Foreign("a Photoshop image (PSD)", "psd")),
        (0, Ascii("gimp xcf"), FileFormat.Foreign("a GIMP image (XCF)", "xcf")),
        (0, [0x76, 0x2F, 0x31, 0x01], FileFormat.Foreign("an OpenEXR image", "exr")),
        (0, Ascii("#?RADIANCE"), FileFormat.Foreign("a Radiance HDR image")),
        (0, Ascii("qoif"), FileFormat.Foreign("a QOI image", "qoi")),
        (0, Ascii("DDS "), FileFormat.Foreign("a DDS texture", "dds")),
        (0, [0x8A, (byte)'M', (byte)'N', (byte)'G'], FileFormat.Foreign("an MNG animation")),
        (0, Ascii("AT&TFORM"), new("a DjVu document", FileKind.Document)),
        (0, Ascii("SIMPLE  ="), FileFormat.Foreign("a FITS image")),
        (128, Ascii("DICM"), FileFormat.Foreign("a DICOM image")),
        (344, Ascii("n+1\0"), FileFormat.Foreign("a NIfTI image")),
        // Moving pictures and sound.
        (0, [0x1A, 0x45, 0xDF, 0xA3], new("a Matroska or WebM video", FileKind.Video)),
        (0, [0, 0, 1, 0xBA], new("an MPEG video", FileKind.Video)),
        (0, [0, 0, 1, 0xB3], new("an MPEG video", FileKind.Video)),
        (0, Ascii("FLV\u0001"), new("a Flash video", FileKind.Video)),
        (0, [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11], new("a Windows Media video", FileKind.Video)),
        (0, Ascii("OggS"), new("an Ogg file of sound or video", FileKind.Video)),
        (0, Ascii("ID3"), new("an MP3 sound file", FileKind.Sound)),
        (0, Ascii("fLaC"), new("a FLAC sound file", FileKind.Sound)),
        // Documents.
        (0, Ascii("%PDF-"), new("a PDF document", FileKind.Document) { Example = ", for example with poppler: pdftoppm -jpeg" }),
        (0, Ascii("%!PS"), new("a PostScript document", FileKind.Document)),
        (0, [0xC5, 0xD0, 0xD3, 0xC6], new("a PostScript document", FileKind.Document)),
        (0, [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], new("a document of Microsoft Office", FileKind.Document)),
        // Archives.
        (0, [(byte)'P', (byte)'K', 3, 4], FileFormats.Zip),
        (0, [(byte)'P', (byte)'K', 5, 6], FileFormats.EmptyZip),
        (0, [(byte)'P', (byte)'K', 7, 8], FileFormats.ZipPart),
        (0, [0x1F, 0x8B], FileFormats.Gzip),
        (0, [0x1F, 0x9D], new("a file compressed with compress (.Z)", FileKind.Archive)),
        (0, Ascii("BZh"), new("a file compressed with bzip2", FileKind.Archive)),
        (0, [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0], new("a file compressed with xz", FileKind.Archive)),
        (0, [(byte)'7', (byte)'z', 0xBC, 0xAF, 0x27, 0x1C], new("a 7z archive", FileKind.Archive)),
        (0, [(byte)'R', (byte)'a', (byte)'r', (byte)'!', 0x1A, 7], new("a RAR archive", FileKind.Archive)),
        (0, [0x28, 0xB5, 0x2F, 0xFD], new("a file compressed with zstd", FileKind.Archive)),
        (0, [0x04, 0x22, 0x4D, 0x18], new("a file compressed with lz4", FileKind.Archive)),
        (0, Ascii("LZIP"), new("a file compressed with lzip", FileKind.Archive)),
        (0, [0x5D, 0, 0], new("a file compressed with lzma", FileKind.Archive)),
        (0, Ascii("MSCF"), new("a Windows cabinet archive", FileKind.Archive)),
        (0, Ascii("!<arch>\n"), new("an ar or deb archive", FileKind.Archive)),
        (0, Ascii("070701"), new("a cpio archive", FileKind.Archive)),
        (0, Ascii("070707"), new("a cpio archive", FileKind.Archive)),
        (0, Ascii("hsqs"), new("a SquashFS image", FileKind.Archive)),
        // Weights, and data that are taken for images, weights or archives of them.
        (0, [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19], FileFormats.PytorchLegacy),
        (0, [0x89, (byte)'H', (byte)'D', (byte)'F', 0x0D, 0x0A, 0x1A, 0x0A], FileFormats.Hdf5),
        (0, Ascii("GGUF"), new("a GGUF weight file", FileKind.Weights)),
        (4, Ascii("TFL3"), new("a TensorFlow Lite file", FileKind.Weights)),
        (0, [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'], new("a NumPy array", FileKind.Data)),
        (0, Ascii("MATLAB 5.0"), new("a MATLAB file", FileKind.Data)),
        (0, Ascii("PAR1"), new("a Parquet file", FileKind.Data)),
        (0, Ascii("ARROW1"), new("an Arrow file", FileKind.Data)),
        (0, Ascii("SQLite format 3\0"), new("a SQLite database", FileKind.Data)),
        // Programs.
        (0, [0x7F, (byte)'E', (byte)'L', (byte)'F'], new("a program", FileKind.Program)),
        (0, [(byte)'M', (byte)'Z'], new("a Windows program", FileKind.Program)),
    ];

    /// <summary>The first format in the table whose bytes stand there; null where none does.</summary>
    public static FileFormat? Find(ReadOnlySpan<byte> head)
    {
        foreach (var (offset, bytes, format) in All)
        {
            if (head.Length > offset && head[offset..].StartsWith(bytes))
            {
                return format;
            }
        }

        return null;
    }

    private static byte[] Ascii(string text) => Encoding.Latin1.GetBytes(text);
}
