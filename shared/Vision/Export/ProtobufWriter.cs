using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Distributed.Vision.Export;

/// <summary>Writes one message in the wire format of Protocol Buffers, fields in the order of the calls.</summary>
internal sealed class ProtobufWriter
{
    private const int Varint = 0,
        LengthDelimited = 2,
        Fixed32 = 5;

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ProtobufWriter Integer(int field, long value)
    {
        WriteTag(field, Varint);
        WriteVarint((ulong)value);
        return this;
    }

    public ProtobufWriter Single(int field, float value)
    {
        WriteTag(field, Fixed32);
        BinaryPrimitives.WriteSingleLittleEndian(_bytes.GetSpan(sizeof(float)), value);
        _bytes.Advance(sizeof(float));
        return this;
    }

    public ProtobufWriter Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    public ProtobufWriter Bytes(int field, ReadOnlySpan<byte> value)
    {
        WriteTag(field, LengthDelimited);
        WriteVarint((ulong)value.Length);
        _bytes.Write(value);
        return this;
    }

    /// <summary>Fields that are written already.</summary>
    public ProtobufWriter Raw(ReadOnlySpan<byte> fields)
    {
        _bytes.Write(fields);
        return this;
    }

    public ProtobufWriter Message(int field, ProtobufWriter message) => Bytes(field, message.Written);

    /// <summary>What has been written so far.</summary>
    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    public Task CopyToAsync(Stream target, CancellationToken cancellationToken) =>
        target.WriteAsync(_bytes.WrittenMemory, cancellationToken).AsTask();

    private void WriteTag(int field, int type) => WriteVarint((ulong)((field << 3) | type));

    private void WriteVarint(ulong value)
    {
        for (; value > 0x7F; value >>= 7)
        {
            WriteByte((byte)(value | 0x80));
        }

        WriteByte((byte)value);
    }

    private void WriteByte(byte value)
    {
        _bytes.GetSpan(1)[0] = value;
        _bytes.Advance(1);
    }
}
