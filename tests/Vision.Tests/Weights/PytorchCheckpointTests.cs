using System.IO.Compression;
using CsCheck;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Tests.Weights;

public sealed class PytorchCheckpointTests
{
    [Theory]
    [InlineData("state-zip.pth")]
    [InlineData("state-legacy.pth")]
    public void What_PyTorch_saves_is_read(string name)
    {
        var state = Read(name);

        float[] Values(string key, params long[] shape)
        {
            Assert.Equal(shape, state[key].Shape);
            return state[key].ToSingles();
        }

        Assert.Equal([0, 1, 2, 3, 4, 5], Values("weight", 3, 2));
        Assert.Equal([0, 1, 2], Values("bias", 3));
        Assert.Equal([0, 1], Values("parameter", 2));
        Assert.Equal([0, 1, 2, 3], Values("half", 4));
        Assert.Equal([0, 1, 2, 3], Values("bfloat16", 4));
        Assert.Equal([0, 1, 2, 3], Values("double", 4));
        Assert.Equal(torch.ScalarType.BFloat16, state["bfloat16"].Type);
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (float)i), Values("whole", 4, 6));
        Assert.Equal([6, 7, 8, 9, 10, 11], Values("slice", 6));
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (float)((i / 4) + (i % 4 * 6))), Values("transposed", 6, 4));
        Assert.Equal([1, 3, 5, 13, 15, 17], Values("stepped", 2, 3));
        Assert.Empty(Values("empty", 0, 3));
        Assert.Empty(state["scalar"].Shape);
        Assert.Equal(7, BitConverter.ToInt64(state["scalar"].Bytes.Span));
        Assert.Equal(new byte[] { 1, 0 }, state["bool"].Bytes.ToArray());
        Assert.Equal(torch.ScalarType.Int32, state["int"].Type);
        Assert.Equal(new byte[] { 0, 1, 2, 3 }, state["byte"].Bytes.ToArray());
    }

    [Theory]
    [InlineData("nested-zip.pth")]
    [InlineData("old-legacy.pth")]
    [InlineData("protocol4-zip.pth")]
    public void Nested_old_and_newer_pickles_are_read(string name)
    {
        var state = Read(name);
        Assert.Equal([0f, 1f, 2f], Assert.Single(state).Value.ToSingles());
    }

    [Theory]
    [InlineData("evil-zip.pth", "'posix.system'")]
    [InlineData("evil-legacy.pth", "'posix.system'")]
    public void Code_is_refused_by_its_name(string name, string refused)
    {
        var message = Assert.Throws<WeightsException>(() => WeightFile.Open(GoldenData.PathOf(name))).Message;
        Assert.Contains(name, message, StringComparison.Ordinal);
        Assert.Contains(refused, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("state-zip.pth")]
    [InlineData("state-legacy.pth")]
    [InlineData("protocol4-zip.pth")]
    [InlineData("evil-legacy.pth")]
    public void Damaged_files_give_nothing_but_the_error_of_weights(string name)
    {
        var bytes = File.ReadAllBytes(GoldenData.PathOf(name));
        Gen.Select(Gen.Int[0, bytes.Length - 1], Gen.Byte, Gen.Int[0, 2])
            .Sample(
                (at, value, kind) =>
                {
                    byte[] damaged = kind switch
                    {
                        0 => bytes[..at],
                        1 => [.. bytes[..at], value, .. bytes[at..]],
                        _ => [.. bytes[..at], value, .. bytes[(at + 1)..]],
                    };
                    try
                    {
                        using var file = PytorchCheckpoint.Open(new MemoryStream(damaged), "X");
                        foreach (var tensor in file.StateDicts.SelectMany(dict => dict.Tensors.Values))
                        {
                            file.Read(tensor);
                        }
                    }
                    catch (WeightsException) { }
                },
                iter: 3000
            );
    }

    [Fact]
    public void Damaged_pickles_give_nothing_but_the_error_of_weights()
    {
        using var zip = ZipFile.OpenRead(GoldenData.PathOf("state-zip.pth"));
        using var content = new MemoryStream();
        zip.Entries.Single(entry => entry.Name == "data.pkl").Open().CopyTo(content);
        var bytes = content.ToArray();
        Gen.Select(Gen.Int[0, bytes.Length - 1], Gen.Byte)
            .Array[1, 3]
            .Sample(
                changes =>
                {
                    var damaged = (byte[])bytes.Clone();
                    foreach (var (at, value) in changes)
                    {
                        damaged[at] = value;
                    }

                    try
                    {
                        Run(damaged);
                    }
                    catch (WeightsException) { }
                },
                iter: 5000
            );
    }

    [Theory]
    [InlineData("80027d58ffffffff", "string of 4294967295 bytes")]
    [InlineData("8009", "protocol 9")]
    [InlineData("800269", "opcode 0x69")]
    [InlineData("800281", "empty stack")]
    [InlineData("80026300", "cut off")]
    [InlineData("4b0128752e", "opcode 0x75 to something else")]
    [InlineData("742e", "lacks a mark")]
    [InlineData("282e", "mark for a value")]
    [InlineData("2e", "empty stack")]
    [InlineData("68072e", "the object 7")]
    [InlineData("8aff", "integer of 255 bytes")]
    [InlineData("8b000000ff", "integer of 4278190080 bytes")]
    [InlineData("8effffffffffffffff", "has 9223372036854775807 bytes in one piece")]
    [InlineData("8dffffffffffffffff", "string of 9223372036854775807 bytes")]
    [InlineData("284e622e", "opcode 0x62 to something else")]
    [InlineData("5d284e902e", "opcode 0x90 to something else")]
    [InlineData("636f730a73797374656d0a", "'os.system'")]
    [InlineData("636275696c74696e730a6576616c0a", "'builtins.eval'")]
    [InlineData("4e4e522e", "without a tuple")]
    [InlineData("4e29522e", "no global")]
    [InlineData("4e512e", "storage in a way")]
    public void Pickles_are_checked_opcode_by_opcode(string hex, string expected)
    {
        Assert.Contains(expected, Assert.Throws<WeightsException>(() => Run(Convert.FromHexString(hex))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_beyond_their_storage_or_larger_than_it_are_refused()
    {
        var host = new PytorchPickleHost("X", 1000);
        var storage = host.Resolve(new PickleTuple(["storage", new PickleGlobal("torch.FloatStorage"), "0", "cpu", 10L]));
        object? Rebuild(long offset, object?[] shape, object?[] strides) =>
            host.Call(
                new PickleGlobal("torch._utils._rebuild_tensor_v2"),
                [storage, offset, new PickleTuple(shape), new PickleTuple(strides), false, null]
            );

        Assert.NotNull(Rebuild(4, [2L, 3L], [3L, 1L]));
        Assert.Throws<WeightsException>(() => Rebuild(5, [2L, 3L], [3L, 1L]));
        Assert.Throws<WeightsException>(() => Rebuild(-1, [2L], [1L]));
        Assert.Throws<WeightsException>(() => Rebuild(0, [11L], [0L]));
        Assert.Throws<WeightsException>(() => Rebuild(0, [2L], [-1L]));
        Assert.Throws<WeightsException>(() => Rebuild(0, [2L], [long.MaxValue]));
        Assert.Throws<WeightsException>(() => Rebuild(0, [2L, 2L], [1L]));
        Assert.Throws<WeightsException>(() => Rebuild(0, [long.MaxValue, long.MaxValue], [0L, 0L]));
        Assert.Throws<WeightsException>(() =>
            host.Resolve(new PickleTuple(["storage", new PickleGlobal("torch.FloatStorage"), "1", "cpu", 251L]))
        );
        Assert.Throws<WeightsException>(() =>
            host.Resolve(new PickleTuple(["storage", new PickleGlobal("torch.FloatStorage"), "0", "cpu", 11L]))
        );
    }

    [Fact]
    public void Storages_that_lie_over_each_other_take_no_more_memory_than_the_file_has()
    {
        var host = new PytorchPickleHost("X", 1000);
        object? Storage(string key) => host.Resolve(new PickleTuple(["storage", new PickleGlobal("torch.FloatStorage"), key, "cpu", 100L]));

        Storage("0");
        Storage("1");
        Storage("1");
        Assert.Contains(
            "longer together than the file",
            Assert.Throws<WeightsException>(() => Storage("2")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Numbers_that_fall_into_one_bucket_cost_no_more_than_others()
    {
        // Their halves are equal, so that their hashes are: in a table each would be compared with all before it.
        const int Count = 100_000;
        using var pickle = new MemoryStream();
        pickle.Write("}("u8);
        for (var i = 1; i <= Count; i++)
        {
            pickle.Write([0x8A, 8, .. BitConverter.GetBytes(((long)i << 32) | (uint)i), (byte)'N']);
        }

        pickle.Write("u."u8);
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        Run(pickle.ToArray());
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds, 0, 5);
    }

    [Fact]
    public void A_compressed_archive_is_refused_unread()
    {
        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var entry = zip.CreateEntry("archive/data.pkl").Open();
            entry.Write(new byte[1 << 20]);
        }

        Assert.Contains(
            "archive/data.pkl",
            Assert.Throws<WeightsException>(() => PytorchCheckpoint.Open(stream, "X")).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>The tensors of a file that has one mapping.</summary>
    private static Dictionary<string, TensorData> Read(string name)
    {
        using var file = WeightFile.Open(GoldenData.PathOf(name));
        return Assert.Single(file.StateDicts).Tensors.ToDictionary(pair => pair.Key, pair => file.Read(pair.Value));
    }

    private static object? Run(byte[] pickle)
    {
        using var stream = new MemoryStream(pickle);
        return new PickleReader(stream, pickle.Length, "X", new PytorchPickleHost("X", 10_000)).Read();
    }
}
