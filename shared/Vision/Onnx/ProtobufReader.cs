using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Onnx;

/// <summary>
/// Reads one message in the wire format of Protocol Buffers, field by field, without copying what it holds
/// (https://protobuf.dev/programming-guides/encoding/).
/// </summary>
/// <param name="message">The message.</param>
/// <param name="source">What errors call the file.</param>
internal sealed class ProtobufReader(ReadOnlyMemory<byte> message, string source)
{
    private const int Varint = 0,
        Fixed64 = 1,
        LengthDelimited = 2,
        Fixed32 = 5;

    private const int MostVarintBytes = 10;

    private int _start;
    private int _position;
    private int _wireType;

    /// <summary>Number of the field that stands next, whose value is read or skipped before the one behind it; 0 at the end of the message.</summary>
    /// <exception cref="WeightsException">The message is damaged.</exception>
    public int Next()
    {
        if (_position == message.Length)
        {
            return 0;
        }

        _start = _position;
        var tag = ReadVarint();
        var field = tag >> 3;
        _wireType = (int)(tag & 7);
        return field is > 0 and <= int.MaxValue ? (int)field : throw Damaged();
    }

    /// <summary>A whole number.</summary>
    public long Integer() => _wireType == Varint ? (long)ReadVarint() : throw Damaged();

    /// <summary>A float32.</summary>
    public float Single() => _wireType == Fixed32 ? BinaryPrimitives.ReadSingleLittleEndian(Take(sizeof(float)).Span) : throw Damaged();

    /// <summary>Bytes, or a message inside.</summary>
    public ReadOnlyMemory<byte> Bytes()
    {
        if (_wireType != LengthDelimited)
        {
            throw Damaged();
        }

        var length = ReadVarint();
        return length <= (ulong)(message.Length - _position) ? Take((int)length) : throw Damaged();
    }

    /// <summary>A message inside.</summary>
    public ProtobufReader Message() => new(Bytes(), source);

    /// <summary>A text.</summary>
    public string Text() => Encoding.UTF8.GetString(Bytes().Span);

    /// <summary>Adds a repeated whole number, which stands alone or among others of its field.</summary>
    public void AddIntegers(List<long> values)
    {
        if (_wireType == Varint)
        {
            values.Add((long)ReadVarint());
            return;
        }

        var packed = new ProtobufReader(Bytes(), source) { _wireType = Varint };
        while (packed._position < packed.Length)
        {
            values.Add((long)packed.ReadVarint());
        }
    }

    /// <summary>Adds a repeated float32, which stands alone or among others of its field.</summary>
    public void AddSingles(List<float> values)
    {
        if (_wireType == Fixed32)
        {
            values.Add(Single());
            return;
        }

        var packed = Bytes();
        values.AddRange(packed.Length % sizeof(float) == 0 ? MemoryMarshal.Cast<byte, float>(packed.Span) : throw Damaged());
    }

    /// <summary>Passes over a value of any type.</summary>
    public void Skip()
    {
        switch (_wireType)
        {
            case Varint:
                ReadVarint();
                break;
            case Fixed64:
                Take(sizeof(ulong));
                break;
            case LengthDelimited:
                Bytes();
                break;
            case Fixed32:
                Take(sizeof(uint));
                break;
            default:
                throw Damaged();
        }
    }

    /// <summary>The whole field as it is written, number and type included.</summary>
    public ReadOnlyMemory<byte> Field()
    {
        Skip();
        return message[_start.._position];
    }

    private int Length => message.Length;

    private ReadOnlyMemory<byte> Take(int length)
    {
        if (length > message.Length - _position)
        {
            throw Damaged();
        }

        _position += length;
        return message.Slice(_position - length, length);
    }

    private ulong ReadVarint()
    {
        var bytes = message.Span;
        ulong value = 0;
        for (var i = 0; i < MostVarintBytes && _position < bytes.Length; i++)
        {
            var part = bytes[_position++];
            value |= (ulong)(part & 0x7f) << (7 * i);
            if (part < 0x80)
            {
                return value;
            }
        }

        throw Damaged();
    }

    private WeightsException Damaged() =>
        new(
            $"{source} is no ONNX file, or is damaged: a message of it ends too early or has an unknown field. Download or export it again."
        );
}
