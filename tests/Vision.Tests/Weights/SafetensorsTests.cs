using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Tests.Weights;

public sealed class SafetensorsTests
{
    private static readonly torch.ScalarType[] Types =
    [
        torch.ScalarType.Float64,
        torch.ScalarType.Float32,
        torch.ScalarType.Float16,
        torch.ScalarType.BFloat16,
        torch.ScalarType.Int64,
        torch.ScalarType.Int32,
        torch.ScalarType.Int16,
        torch.ScalarType.Int8,
        torch.ScalarType.Byte,
        torch.ScalarType.Bool,
    ];

    private static readonly Gen<TensorData> Tensor =
        from type in Gen.Int[0, Types.Length - 1].Select(index => Types[index])
        from shape in Gen.Long[0, 4].Array[0, 4]
        from bytes in Gen.Byte.Array[(int)TensorTypes.ByteLength(type, shape)]
        select new TensorData(type, shape, bytes);

    private static readonly Gen<(Dictionary<string, TensorData> Tensors, Dictionary<string, string> Metadata)> Content = Gen.Select(
        Gen.Dictionary(Gen.String.Where(name => name != "__metadata__" && IsText(name)), Tensor)[0, 6],
        Gen.Dictionary(Gen.String.Where(IsText), Gen.String.Where(IsText))[0, 3]
    );

    [Fact]
    public void What_is_written_is_read_and_the_order_of_the_input_does_not_matter() =>
        Content.Sample(content =>
        {
            var bytes = SafetensorsWriter.ToBytes(content.Tensors, content.Metadata);
            var reversed = SafetensorsWriter.ToBytes(content.Tensors.Reverse().ToDictionary(), content.Metadata.Reverse().ToDictionary());
            using var file = SafetensorsFile.Parse(bytes);

            Assert.Equal(bytes, reversed);
            Assert.Equal(content.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal), file.Metadata);
            Assert.Equal(content.Tensors.Keys.Order(StringComparer.Ordinal), file.Tensors.Keys);
            foreach (var (name, tensor) in content.Tensors)
            {
                var entry = file.Tensors[name];
                Assert.Equal(tensor.Type, entry.Type);
                Assert.Equal(tensor.Shape, entry.Shape);
                Assert.Equal(tensor.Bytes.ToArray(), file.ReadBytes(name));
                Assert.Equal(0, entry.Begin % TensorTypes.ElementSize(entry.Type));
            }

            Assert.Equal(0UL, BinaryPrimitives.ReadUInt64LittleEndian(bytes) % 8);
        });

    [Fact]
    public void Damaged_files_give_nothing_but_the_error_of_weights() =>
        Gen.Select(Content, Gen.Int[0, 400], Gen.Byte, Gen.Int[0, 3])
            .Sample(
                (content, at, value, kind) =>
                {
                    var bytes = SafetensorsWriter.ToBytes(content.Tensors, content.Metadata);
                    at %= bytes.Length;
                    byte[] damaged = kind switch
                    {
                        0 => bytes[..at],
                        1 => [.. bytes, value],
                        2 => [.. bytes[..at], value, .. bytes[at..]],
                        _ => [.. bytes[..at], value, .. bytes[(at + 1)..]],
                    };
                    try
                    {
                        using var file = SafetensorsFile.Parse(damaged);
                        foreach (var name in file.Tensors.Keys)
                        {
                            file.ReadData(name);
                        }
                    }
                    catch (WeightsException failure)
                    {
                        Assert.StartsWith("The ", failure.Message, StringComparison.Ordinal);
                    }
                },
                iter: 2000
            );

    [Fact]
    public async Task The_stream_and_the_bytes_are_the_same()
    {
        var tensors = new Dictionary<string, TensorData>
        {
            ["b"] = TensorData.FromValues([1f, 2f], 2),
            ["a"] = TensorData.FromValues([3L]),
        };
        using var stream = new MemoryStream();
        await SafetensorsWriter.WriteAsync(stream, tensors);
        Assert.Equal(SafetensorsWriter.ToBytes(tensors), stream.ToArray());
    }

    [Fact]
    public void A_file_written_by_Python_is_read()
    {
        using var file = SafetensorsFile.Open(GoldenData.PathOf("features.safetensors"));
        Assert.Equal("ä \" \\ \u2028", file.Metadata["text"]);
        Assert.Equal([2, 1024], file.Tensors["demo.96"].Shape);
        using var tensor = file.ReadTensor("demo.96");
        Assert.Equal([2L, 1024L], tensor.shape);
        Assert.True(tensor.min().item<float>() >= 0);
    }

    [Theory]
    [InlineData("", "no safetensors file")]
    [InlineData("[]", "not StartObject")]
    [InlineData("{} {}", "damaged")]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""",
        "'a' occurs twice"
    )]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", "'__metadata__' occurs twice")]
    [InlineData("""{"__metadata__":{"a":1}}""", "__metadata__.a")]
    [InlineData("""{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,8]}}""", "'F31'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}""", "cannot lie at bytes 0 to 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[0,9223372036854775807,9223372036854775807],"data_offsets":[0,8]}}""", "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "a.shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}""", "at most 16")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", "lacks one of")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}}""", "'more'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "begins at byte 4, where 0")]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""",
        "begins at byte 4, where 8"
    )]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "end at byte 4, the data at 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "end at byte 12, the data at 8")]
    [InlineData("""{"\ud800":{}}""", "damaged")]
    public void Every_rule_of_the_format_is_checked(string header, string expected)
    {
        var text = Encoding.UTF8.GetBytes(header);
        var bytes = header.Length == 0 ? [] : new byte[8 + text.Length + 8];
        if (bytes.Length > 0)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)text.Length);
            text.CopyTo(bytes, 8);
        }

        var message = Assert.Throws<WeightsException>(() => SafetensorsFile.Parse(bytes, "The file X")).Message;
        Assert.Contains("The file X".ToUpperInvariant(), message.ToUpperInvariant(), StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(100_000_001)]
    [InlineData(9)]
    public void A_header_longer_than_the_file_or_the_limit_takes_no_memory(ulong length)
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<WeightsException>(() => SafetensorsFile.Parse(bytes));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Tensors_that_are_absent_or_of_another_length_are_named()
    {
        using var file = SafetensorsFile.Parse(
            SafetensorsWriter.ToBytes(new Dictionary<string, TensorData> { ["a"] = TensorData.FromValues([1f], 1) })
        );
        Assert.Contains("'b'", Assert.Throws<WeightsException>(() => file.ReadBytes("b")).Message, StringComparison.Ordinal);
        Assert.Contains(
            "4 bytes, where 8",
            Assert.Throws<WeightsException>(() => file.ReadBytes("a", new byte[8])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_part_of_a_tensor_is_read_and_one_beyond_its_end_is_refused()
    {
        var bytes = SafetensorsWriter.ToBytes(
            new Dictionary<string, TensorData>
            {
                ["a"] = new(torch.ScalarType.Byte, [4], new byte[] { 1, 2, 3, 4 }),
                ["b"] = TensorData.FromValues([1f], 1),
            }
        );
        using var file = SafetensorsFile.Parse(bytes);
        var part = new byte[2];

        file.ReadBytes("a", 1, part);

        Assert.Equal([2, 3], part);
        Assert.Contains(
            "has 4 bytes, where 2 from byte 3 on",
            Assert.Throws<WeightsException>(() => file.ReadBytes("a", 3, part)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_writer_refuses_what_no_reader_would_take()
    {
        Assert.Throws<ArgumentException>(() =>
            SafetensorsWriter.ToBytes(new Dictionary<string, TensorData> { ["__metadata__"] = TensorData.FromValues([1f], 1) })
        );
        Assert.Throws<ArgumentException>(() =>
            SafetensorsWriter.ToBytes(new Dictionary<string, TensorData> { ["a"] = new(torch.ScalarType.Float32, [2], new byte[4]) })
        );
    }

    [Fact]
    public void Tensors_of_any_layout_become_data_and_back()
    {
        using var transposed = torch.arange(6, dtype: torch.ScalarType.Float32).view(2, 3).t();
        var data = TensorData.FromTensor(transposed);
        using var back = data.ToTensor();
        Assert.Equal([0f, 3f, 1f, 4f, 2f, 5f], data.ToSingles());
        Assert.Equal(data.ToSingles(), TensorData.FromTensor(back).ToSingles());
    }

    [Theory]
    [InlineData(torch.ScalarType.Float16)]
    [InlineData(torch.ScalarType.BFloat16)]
    [InlineData(torch.ScalarType.Float64)]
    public void Floating_point_numbers_are_widened_as_LibTorch_does(torch.ScalarType type)
    {
        using var narrow = torch.tensor([0f, -1.5f, 3.14159f, 65504f, float.PositiveInfinity, 1e-7f]).to(type);
        Assert.Equal(TensorData.FromTensor(narrow.to(torch.ScalarType.Float32)).ToSingles(), TensorData.FromTensor(narrow).ToSingles());
    }

    private static bool IsText(string text) => !text.Any(char.IsSurrogate);
}
