namespace Distributed.Imaging.Jpeg;

/// <summary>Markers of JPEG files: the byte that follows <see cref="Escape"/> (ITU-T T.81, table B.1).</summary>
internal static class JpegMarker
{
    public const byte Escape = 0xFF;
    public const byte Baseline = 0xC0;
    public const byte Sequential = 0xC1;
    public const byte HuffmanTables = 0xC4;
    public const byte FirstRestart = 0xD0;
    public const byte LastRestart = 0xD7;
    public const byte StartOfImage = 0xD8;
    public const byte EndOfImage = 0xD9;
    public const byte StartOfScan = 0xDA;
    public const byte QuantisationTables = 0xDB;
    public const byte Restarts = 0xDD;
    public const byte Jfif = 0xE0;
    public const byte Exif = 0xE1;
    public const byte Adobe = 0xEE;
    public const byte LastApplication = 0xEF;
    public const byte Comment = 0xFE;

    /// <summary>Whether a length follows. Zero is no marker, 1 is reserved for arithmetic coding, and the restart markers stand alone amid image data.</summary>
    public static bool HasLength(byte marker) => marker is not (0x00 or 0x01 or (>= FirstRestart and <= EndOfImage) or Escape);
}
