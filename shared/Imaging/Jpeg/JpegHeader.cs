using System.Buffers.Binary;

namespace Distributed.Imaging.Jpeg;

/// <summary>One component of a JPEG image: its samples of one colour.</summary>
/// <param name="Id">Its identifier in the file.</param>
/// <param name="Horizontal">Blocks in a row of a unit.</param>
/// <param name="Vertical">Rows of blocks in a unit.</param>
/// <param name="Table">Number of its quantisation table.</param>
internal sealed record JpegComponent(int Id, int Horizontal, int Vertical, int Table)
{
    /// <summary>Number of its table for first coefficients.</summary>
    public int FirstCodes { get; set; }

    /// <summary>Number of its table for the others.</summary>
    public int OtherCodes { get; set; }
}

/// <summary>
/// What stands before the data of a JPEG file that is as nearly all are: sequential, of eight bits, all components in one scan, grey or YCbCr with the
/// colours at full, half or quarter resolution. Of any other kind nothing is said: the codec reads it.
/// </summary>
/// <remarks>Format: ITU-T T.81, annex B; which colours the components are is told as libjpeg tells it.</remarks>
internal sealed class JpegHeader
{
    private const int Tables = 4;

    private readonly ushort[]?[] _quantisation = new ushort[Tables][];
    private readonly HuffmanTable?[] _firstCodes = new HuffmanTable[Tables];
    private readonly HuffmanTable?[] _otherCodes = new HuffmanTable[Tables];
    private bool _isJfif;
    private int? _adobeTransform;
    private int _orientation = ExifOrientation.None;

    private JpegHeader() { }

    /// <summary>Width in pixels.</summary>
    public int Width { get; private set; }

    /// <summary>Height in pixels.</summary>
    public int Height { get; private set; }

    /// <summary>One component, or three.</summary>
    public IReadOnlyList<JpegComponent> Components { get; private set; } = [];

    /// <summary>Units between two restarts; 0 where there are none.</summary>
    public int RestartInterval { get; private set; }

    /// <summary>Where the data begin, as an index into the file.</summary>
    public int DataBegin { get; private set; }

    /// <summary>The EXIF orientation, 1 to 8; 1 where there is none.</summary>
    public int Orientation => _orientation == ExifOrientation.None ? ExifOrientation.Upright : _orientation;

    /// <summary>Quantisation steps of a component, in zigzag order.</summary>
    public ushort[] StepsOf(JpegComponent component) => _quantisation[component.Table]!;

    /// <summary>Codes of a component's first coefficients.</summary>
    public HuffmanTable FirstCodesOf(JpegComponent component) => _firstCodes[component.FirstCodes]!;

    /// <summary>Codes of a component's other coefficients.</summary>
    public HuffmanTable OtherCodesOf(JpegComponent component) => _otherCodes[component.OtherCodes]!;

    /// <summary>Reads what stands before the data.</summary>
    /// <returns>Null where the file is of another kind, or not in order.</returns>
    public static JpegHeader? Read(ReadOnlySpan<byte> file)
    {
        if (!file.StartsWith((ReadOnlySpan<byte>)[JpegMarker.Escape, JpegMarker.StartOfImage]))
        {
            return null;
        }

        var header = new JpegHeader();
        for (var at = 2; at + 4 <= file.Length; )
        {
            var marker = file[at + 1];
            if (file[at] != JpegMarker.Escape || !JpegMarker.HasLength(marker))
            {
                return null;
            }

            var length = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
            if (length < 2 || at + 2 + length > file.Length)
            {
                return null;
            }

            var segment = file.Slice(at + 4, length - 2);
            at += 2 + length;
            if (marker == JpegMarker.StartOfScan)
            {
                header.DataBegin = at;
                return header.ReadScan(segment) && header.IsUsual() ? header : null;
            }

            if (!header.Read(marker, segment))
            {
                return null;
            }
        }

        return null;
    }

    private bool Read(byte marker, ReadOnlySpan<byte> segment)
    {
        switch (marker)
        {
            case JpegMarker.Baseline or JpegMarker.Sequential:
                return ReadFrame(segment);
            case JpegMarker.HuffmanTables:
                return ReadCodes(segment);
            case JpegMarker.QuantisationTables:
                return ReadSteps(segment);
            case JpegMarker.Restarts:
                RestartInterval = segment.Length == 2 ? BinaryPrimitives.ReadUInt16BigEndian(segment) : -1;
                return RestartInterval >= 0;
            case JpegMarker.Jfif:
                _isJfif |= segment.Length >= 14 && segment.StartsWith("JFIF\0"u8);
                return true;
            case JpegMarker.Exif:
                if (_orientation == ExifOrientation.None && segment.StartsWith("Exif\0"u8))
                {
                    _orientation = ExifOrientation.Find(segment);
                }

                return true;
            case JpegMarker.Adobe:
                _adobeTransform = segment.Length >= 12 && segment.StartsWith("Adobe"u8) ? segment[11] : _adobeTransform;
                return true;
            default:
                // Other application data and comments; frames of other kinds are not for this decoder.
                return marker is >= JpegMarker.Jfif and <= JpegMarker.LastApplication or JpegMarker.Comment;
        }
    }

    private bool ReadFrame(ReadOnlySpan<byte> segment)
    {
        if (Components.Count > 0 || segment.Length < 6 || segment[0] != 8 || segment.Length != 6 + (3 * segment[5]))
        {
            return false;
        }

        Height = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]);
        Width = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
        var components = new JpegComponent[segment[5]];
        for (var i = 0; i < components.Length; i++)
        {
            var entry = segment[(6 + (3 * i))..];
            components[i] = new JpegComponent(entry[0], entry[1] >> 4, entry[1] & 15, entry[2]);
        }

        Components = components;
        return Width > 0 && Height > 0;
    }

    private bool ReadCodes(ReadOnlySpan<byte> segment)
    {
        const int Lengths = 16;
        while (segment.Length > Lengths)
        {
            var (number, isOther) = (segment[0] & 15, segment[0] >> 4);
            var counts = segment.Slice(1, Lengths);
            var total = 0;
            foreach (var count in counts)
            {
                total += count;
            }

            if (number >= Tables || isOther > 1 || total > 256 || segment.Length < 1 + Lengths + total)
            {
                return false;
            }

            var table = HuffmanTable.Create(counts, segment.Slice(1 + Lengths, total));
            if (table is null || (isOther == 0 && !table.HasLengthsOnly))
            {
                return false;
            }

            (isOther == 1 ? _otherCodes : _firstCodes)[number] = table;
            segment = segment[(1 + Lengths + total)..];
        }

        return segment.IsEmpty;
    }

    private bool ReadSteps(ReadOnlySpan<byte> segment)
    {
        while (!segment.IsEmpty)
        {
            var (number, bytes) = (segment[0] & 15, 1 + (segment[0] >> 4));
            if (number >= Tables || bytes > 2 || segment.Length < 1 + (64 * bytes))
            {
                return false;
            }

            var steps = new ushort[64];
            for (var i = 0; i < steps.Length; i++)
            {
                steps[i] = bytes == 1 ? segment[1 + i] : BinaryPrimitives.ReadUInt16BigEndian(segment[(1 + (2 * i))..]);
            }

            _quantisation[number] = steps;
            segment = segment[(1 + (64 * bytes))..];
        }

        return true;
    }

    /// <summary>One scan must have all components, in their order, and all of their coefficients.</summary>
    private bool ReadScan(ReadOnlySpan<byte> segment)
    {
        if (segment.IsEmpty || segment[0] != Components.Count || segment.Length != 4 + (2 * Components.Count))
        {
            return false;
        }

        for (var i = 0; i < Components.Count; i++)
        {
            var (id, codes) = (segment[1 + (2 * i)], segment[2 + (2 * i)]);
            if (id != Components[i].Id || codes >> 4 >= Tables || (codes & 15) >= Tables)
            {
                return false;
            }

            (Components[i].FirstCodes, Components[i].OtherCodes) = (codes >> 4, codes & 15);
        }

        return segment[^3..].SequenceEqual((ReadOnlySpan<byte>)[0, 63, 0]);
    }

    private bool IsUsual()
    {
        foreach (var component in Components)
        {
            if (
                component.Table >= Tables
                || _quantisation[component.Table] is null
                || _firstCodes[component.FirstCodes] is null
                || _otherCodes[component.OtherCodes] is null
            )
            {
                return false;
            }
        }

        if (Components is [{ Horizontal: 1, Vertical: 1 }])
        {
            return true;
        }

        return Components
                is [
                    { Horizontal: 1, Vertical: 1 }
                    or { Horizontal: 2, Vertical: 1 }
                    or { Horizontal: 2, Vertical: 2 },
                    { Horizontal: 1, Vertical: 1 },
                    { Horizontal: 1, Vertical: 1 },
                ]
            && IsYCbCr();
    }

    private bool IsYCbCr() =>
        _adobeTransform is { } transform ? transform == 1 : _isJfif || Components is [{ Id: 1 }, { Id: 2 }, { Id: 3 }];
}
