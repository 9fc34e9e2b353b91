using System.Text;
using Distributed.Vision.Weights;
using static Distributed.Vision.Tests.Weights.PickleBuilder;

namespace Distributed.Vision.Tests.Weights;

public sealed class WeightFileTests : IDisposable
{
    private static readonly byte[] Values = [0, 0, 0, 0, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40];

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, byte[], string> Foreign =>
        new()
        {
            { "empty.pth", [], "an empty file" },
            { "page.safetensors", "<!DOCTYPE html><html><body>Not found</body></html>"u8.ToArray(), "an HTML page" },
            {
                "pointer.pth",
                Encoding.ASCII.GetBytes("version https://git-lfs.github.com/spec/v1\noid sha256:" + new string('0', 64) + "\nsize 32342\n"),
                "git lfs pull"
            },
            { "model.onnx", [0x08, 0x08, 0x12, 0x07, .. "pytorch"u8, 0x1A, 0x03, .. "1.0"u8], "an ONNX file" },
            { "model.h5", [0x89, .. "HDF\r\n\x1a\n"u8, 0, 0, 0, 0], "an HDF5 file" },
            { "model.gguf", [.. "GGUF"u8, 3, 0, 0, 0, 0, 0, 0, 0], "a GGUF weight file" },
            { "weights.npz", Zip(("conv0.npy", [1])), "NumPy arrays" },
            { "weights.zip", Zip(("weights.pth", [1]), ("notes.txt", [2])), "it holds 'weights.pth', 'notes.txt'" },
            { "weights.tar", Tar(), "a tar archive" },
            { "weights.pkl", Build(Dict(("bias", Number(1)))), "not one of torch.save" },
            { "config.json", """{"architecture": "densenet121"}"""u8.ToArray(), "a text file" },
            { "photo.pth", [0xFF, 0xD8, 0xFF, 0xE0, 0, 0x10, .. "JFIF"u8], "a JPEG image" },
            { "noise.pth", [1, 2, 3, 4], "01020304" },
        };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Foreign))]
    public void What_is_no_weight_file_is_refused_for_what_it_is(string name, byte[] content, string expected)
    {
        File.WriteAllBytes(_folder[name], content);

        var message = Assert.Throws<WeightsException>(() => WeightFile.Open(_folder[name])).Message;

        Assert.Contains(name, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_are_told_by_their_content_and_not_by_their_names()
    {
        File.Copy(GoldenData.PathOf("state-zip.pth"), _folder["a.safetensors"]);
        File.Copy(GoldenData.PathOf("state-legacy.pth"), _folder["b.onnx"]);
        File.WriteAllBytes(
            _folder["c.pth"],
            SafetensorsWriter.ToBytes(
                new Dictionary<string, TensorData> { ["bias"] = TensorData.FromValues([0f, 1, 2], 3) },
                new Dictionary<string, string> { ["mean"] = "0,0,0" }
            )
        );

        foreach (var name in new[] { "a.safetensors", "b.onnx", "c.pth" })
        {
            using var file = WeightFile.Open(_folder[name]);
            var bias = Assert.Single(file.StateDicts).Tensors["bias"];
            Assert.Equal([0f, 1, 2], file.Read(bias).ToSingles());
            Assert.Equal(name == "c.pth" ? 1 : 0, file.Metadata.Count);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Objects_beside_the_tensors_are_values_that_do_nothing(int protocol)
    {
        using var file = WeightFile.Open(GoldenData.PathOf($"trainer-{protocol}.pth"));

        var dict = Assert.Single(file.StateDicts);
        Assert.Equal("['state_dict']", dict.Path?.ToString());
        Assert.Equal(["module.bias", "module.scale"], dict.Tensors.Keys);
        Assert.Equal([0f, 1, 2], file.Read(dict.Tensors["module.bias"]).ToSingles());
        Assert.Equal([3f], file.Read(dict.Tensors["module.scale"]).ToSingles());
    }

    [Fact]
    public void A_network_that_was_saved_whole_gives_the_names_of_its_state_dict()
    {
        using var file = WeightFile.Open(GoldenData.PathOf("module-zip.pth"));
        var linear = Assert.Single(file.StateDicts);
        Assert.Equal([3L, 2], linear.Tensors["weight"].Shape);
        Assert.Equal([0f, 1, 2], file.Read(linear.Tensors["bias"]).ToSingles());

        var layer = New(
            "torch.nn",
            "Conv2d",
            Dict(("training", False), ("_parameters", Dict(("weight", Tensor("FloatStorage", "0", 0, 3, 3)))), ("_modules", Dict()))
        );
        var network = New(
            "net",
            "Net",
            Dict(
                ("_parameters", Dict()),
                ("_buffers", Dict(("mean", Tensor("FloatStorage", "0", 1, 3, 2)))),
                ("_modules", Dict(("features", New("torch.nn", "Sequential", Dict(("_modules", Dict(("conv0", layer))))))))
            )
        );
        using var whole = Parse(Dict(("epoch", Number(3)), ("model", network)));
        var found = Assert.Single(whole.StateDicts);
        Assert.Equal("['model']", found.Path?.ToString());
        Assert.Equal(["features.conv0.weight", "mean"], found.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([1f, 2], whole.Read(found.Tensors["mean"]).ToSingles());
    }

    [Fact]
    public void The_tensors_of_a_TorchScript_archive_are_read_and_its_code_is_not()
    {
        var conv = New(
            "__torch__.torch.nn.modules.conv",
            "Conv2d",
            Dict(("training", False), ("weight", Tensor("FloatStorage", "0", 0, 3, 3)))
        );
        var pickle = Build(New("__torch__.net", "Net", Dict(("training", False), ("conv0", conv))));
        using var file = WeightFile.Parse(
            TorchFiles.Zip(
                pickle,
                new Dictionary<string, byte[]> { ["0"] = Values },
                ("archive/code/__torch__/net.py", new byte[2000]),
                ("archive/constants.pkl", Build(Tuple()))
            ),
            "X"
        );

        Assert.Equal("conv0.weight", Assert.Single(Assert.Single(file.StateDicts).Tensors).Key);
    }

    [Fact]
    public void Every_mapping_with_tensors_is_found_wherever_it_is_nested()
    {
        var tensor = Tensor("FloatStorage", "0", 0, 3, 3);
        using var file = Parse(
            Dict(
                ("a", List(Number(1), Dict(("x", tensor)))),
                ("b", New("my.code", "State", Dict(("inner", Dict(("y", tensor)))))),
                ("c", New("my.code", "Config", items: [("z", tensor)])),
                ("d", Tuple(Dict(("e", Dict(("f", Dict(("w", tensor)))))))),
                ("none", None),
                ("opaque", Bytes(new byte[300]))
            )
        );

        Assert.Equal(
            ["['a'][1] x", "['b'].inner y", "['c'] z", "['d'][0]['e']['f'] w"],
            file.StateDicts.Select(dict => $"{dict.Path} {Assert.Single(dict.Tensors).Key}").Order(StringComparer.Ordinal)
        );
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("subprocess", "Popen")]
    [InlineData("builtins", "eval")]
    [InlineData("__builtin__", "execfile")]
    [InlineData("importlib.util", "find_spec")]
    public void Names_that_run_code_are_refused_wherever_they_stand(string module, string name)
    {
        var tensor = Tensor("FloatStorage", "0", 0, 3, 3);
        Action<PickleBuilder>[] hidden =
        [
            Call(module, name, [Text("echo harm")]),
            New("my.code", "State", Dict(("x", Global(module, name)))),
            List(Tuple(Global(module, name))),
        ];
        foreach (var harm in hidden)
        {
            var message = Assert.Throws<WeightsException>(() => Parse(Dict(("state_dict", Dict(("x", tensor))), ("z", harm)))).Message;
            Assert.Contains($"'{module}.{name}'", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Tensors_of_kinds_that_no_network_here_is_made_of_are_passed_over()
    {
        using var file = Parse(Dict(("q", Tensor("QInt8Storage", "1", 0, 3, 3)), ("x", Tensor("FloatStorage", "0", 0, 3, 3))));
        Assert.Equal("x", Assert.Single(Assert.Single(file.StateDicts).Tensors).Key);
    }

    [Fact]
    public void A_checkpoint_without_tensors_by_name_tells_what_it_has()
    {
        Assert.Contains(
            "'epoch', 'lr'",
            Assert.Throws<WeightsException>(() => Parse(Dict(("epoch", Number(1)), ("lr", Double(0.1))))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "'my.code.Net'",
            Assert.Throws<WeightsException>(() => Parse(New("my.code", "Net"))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "one tensor",
            Assert.Throws<WeightsException>(() => Parse(Tensor("FloatStorage", "0", 0, 3, 3))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Nesting_without_end_and_objects_that_hold_each_other_end()
    {
        Assert.Contains("holds no tensors", Assert.Throws<WeightsException>(() => ParseDeep(20_000)).Message, StringComparison.Ordinal);

        // A list that holds itself a hundred and fifty thousand times.
        var pickle = new byte[4 + 300_000];
        "]q\0("u8.CopyTo(pickle);
        for (var i = 4; i + 4 <= pickle.Length; i += 2)
        {
            "h\0"u8.CopyTo(pickle.AsSpan(i));
        }

        "e."u8.CopyTo(pickle.AsSpan(pickle.Length - 2));
        Assert.Contains(
            "holds no tensors",
            Assert.Throws<WeightsException>(() => WeightFile.Parse(TorchFiles.Zip(pickle, new Dictionary<string, byte[]>()), "X")).Message,
            StringComparison.Ordinal
        );
    }

    private static WeightFile Parse(Action<PickleBuilder> value) =>
        WeightFile.Parse(TorchFiles.Zip(Build(value), new Dictionary<string, byte[]> { ["0"] = Values }), "X");

    /// <summary>Dictionaries in dictionaries, which a recursive builder could not write.</summary>
    private static void ParseDeep(int levels)
    {
        var pickle = new List<byte>();
        for (var i = 0; i < levels; i++)
        {
            pickle.AddRange([(byte)'}', (byte)'X', 1, 0, 0, 0, (byte)'a']);
        }

        pickle.Add((byte)'N');
        pickle.AddRange(Enumerable.Repeat((byte)'s', levels));
        pickle.Add((byte)'.');
        WeightFile.Parse(TorchFiles.Zip([.. pickle], new Dictionary<string, byte[]>()), "X").Dispose();
    }

    private static byte[] Zip(params (string Name, byte[] Content)[] entries)
    {
        using var stream = new MemoryStream();
        using (var zip = new System.IO.Compression.ZipArchive(stream, System.IO.Compression.ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in entries)
            {
                using var entry = zip.CreateEntry(name).Open();
                entry.Write(content);
            }
        }

        return stream.ToArray();
    }

    private static byte[] Tar()
    {
        using var stream = new MemoryStream();
        using (var tar = new System.Formats.Tar.TarWriter(stream, leaveOpen: true))
        {
            tar.WriteEntry(new System.Formats.Tar.UstarTarEntry(System.Formats.Tar.TarEntryType.RegularFile, "weights.pth"));
        }

        return stream.ToArray();
    }
}
