using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using TorchSharp;
using static Distributed.Vision.Tests.Weights.PickleBuilder;

namespace Distributed.Vision.Tests.Weights;

public sealed class BackboneWeightsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Names_of_torchvision_and_timm_old_and_new_are_understood()
    {
        var plain = ReadDemo();
        var bare = plain
            .Where(pair => !pair.Key.StartsWith("classifier", StringComparison.Ordinal))
            .ToDictionary(pair => pair.Key["features.".Length..], pair => pair.Value);
        var old = plain.ToDictionary(
            pair =>
                pair.Key.Contains("denselayer", StringComparison.Ordinal)
                    ? pair
                        .Key.Replace(".norm1.", ".norm.1.")
                        .Replace(".norm2.", ".norm.2.")
                        .Replace(".conv1.", ".conv.1.")
                        .Replace(".conv2.", ".conv.2.")
                    : pair.Key,
            pair => pair.Value
        );
        old["features.norm0.num_batches_tracked"] = TensorData.FromValues([5L]);
        using var demo = BackboneSource.Load(BackboneSource.Demo);
        var expected = Features(demo);

        foreach (var tensors in new[] { bare, old })
        {
            using var backbone = BackboneSource.Load(Write(tensors));
            Assert.Equal(expected, Features(backbone));
        }
    }

    [Fact]
    public void Everything_that_does_not_fit_is_in_one_error()
    {
        var tensors = ReadDemo();
        tensors.Remove("features.conv0.weight");
        tensors["features.extra"] = TensorData.FromValues([1f], 1);
        tensors["features.norm0.bias"] = TensorData.FromValues([1f, 2f], 2);
        tensors["features.norm0.weight"] = TensorData.FromValues(new long[64], 64);

        var message = Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(tensors))).Message;

        Assert.Contains("missing (1): conv0.weight", message, StringComparison.Ordinal);
        Assert.Contains("not part of it (1): extra", message, StringComparison.Ordinal);
        Assert.Contains("of another shape (1): norm0.bias [2] instead of [64]", message, StringComparison.Ordinal);
        Assert.Contains("no floating-point numbers (1): norm0.weight (Int64)", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_for_another_architecture_is_refused_in_an_error_of_bounded_length()
    {
        var message = Assert.Throws<WeightsException>(() => BackboneSource.Load(BackboneSource.Demo, DenseNet.DenseNet201)).Message;

        Assert.Contains("densenet201", message, StringComparison.Ordinal);
        Assert.Contains(" more", message, StringComparison.Ordinal);
        Assert.InRange(message.Length, 1, 8000);
    }

    [Fact]
    public void A_file_without_a_DenseNet_is_refused()
    {
        var tensors = Enumerable.Range(0, 8).ToDictionary(i => $"layer{i}.conv.weight", _ => TensorData.FromValues([1f], 1));
        tensors["norm0.weight"] = TensorData.FromValues([1f], 1);

        var message = Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(tensors))).Message;

        Assert.Contains("densenet121, densenet169", message, StringComparison.Ordinal);
        Assert.Contains("'layer0.conv.weight', 'layer1.conv.weight'", message, StringComparison.Ordinal);
        Assert.Contains("and 4 more", message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Savings =>
        [
            "module.features.",
            "model.features.",
            "backbone.",
            "_orig_mod.features.",
            "net.0.",
            "encoder.model.features.",
            "model.module._orig_mod.features.",
        ];

    [Theory]
    [MemberData(nameof(Savings))]
    public void Weights_are_found_under_whatever_their_trainer_puts_before_them(string prefix)
    {
        var demo = ReadDemo();
        var renamed = demo.ToDictionary(
            pair => pair.Key.StartsWith("features.", StringComparison.Ordinal) ? prefix + pair.Key["features.".Length..] : pair.Key,
            pair => pair.Value
        );
        using var expected = BackboneSource.Load(BackboneSource.Demo);
        var features = Features(expected);

        using var plain = BackboneSource.Load(Write(renamed));
        Assert.Equal(features, Features(plain));

        // As Lightning saves them, with more beside them, and in a file whose name tells nothing.
        using var lightning = BackboneSource.Load(
            WriteTorch(pickle =>
                Dict(
                    ("epoch", Number(9)),
                    ("pytorch-lightning_version", Text("2.1")),
                    ("hyper_parameters", New("argparse", "Namespace", Dict(("lr", Double(0.1))))),
                    (
                        "optimizer_states",
                        List(Dict(("state", DictOf((Number(0), pickle(new() { ["features.norm0.bias"] = demo["features.norm0.bias"] }))))))
                    ),
                    ("state_dict", pickle(renamed))
                )
            )
        );
        Assert.Equal(features, Features(lightning));
    }

    [Fact]
    public void Equal_copies_are_one_and_copies_that_differ_are_refused_with_both_places()
    {
        var demo = ReadDemo();
        var averaged = new Dictionary<string, TensorData>(demo) { ["features.norm0.bias"] = demo["features.norm0.weight"] };

        using var twice = BackboneSource.Load(
            WriteTorch(pickle =>
                Dict(("model", pickle(demo)), ("model_ema", New("timm.utils", "ModelEma", Dict(("module", pickle(demo))))))
            )
        );
        Assert.Equal("densenet121", twice.Name);

        var message = Assert
            .Throws<WeightsException>(() =>
                BackboneSource.Load(WriteTorch(pickle => Dict(("model", pickle(demo)), ("model_ema", pickle(averaged)))))
            )
            .Message;
        Assert.Contains(
            "densenet121 under ['model'] ('features.…') and densenet121 under ['model_ema'] ('features.…')",
            message,
            StringComparison.Ordinal
        );
        Assert.Contains("torch.save(torch.load('FILE')['model_ema'], 'NEW')", message, StringComparison.Ordinal);

        var both = demo.Concat(averaged.Select(pair => KeyValuePair.Create("ema." + pair.Key, pair.Value))).ToDictionary();
        message = Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(both))).Message;
        Assert.Contains(
            "densenet121 at the top ('ema.features.…') and densenet121 at the top ('features.…')",
            message,
            StringComparison.Ordinal
        );
        Assert.Contains("if name.startswith('features.')", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_that_no_arithmetic_can_use_are_refused_by_tensor_and_number()
    {
        var tensors = ReadDemo();
        Change("features.conv0.weight", values => (values[3], values[4], values[5]) = (float.NaN, float.NaN, float.PositiveInfinity));
        Change("features.norm5.running_var", values => values[1023] = -0.5f);
        var wide = tensors["features.norm0.bias"].ToSingles().Select(value => (double)value).ToArray();
        wide[0] = 1e39;
        tensors["features.norm0.bias"] = TensorData.FromValues(wide, 64);

        var message = Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(tensors))).Message;

        Assert.Contains(
            "(3): conv0.weight (2 NaN, 1 infinite of 9408), norm0.bias (1 infinite or beyond float32 of 64), norm5.running_var "
                + "(1 negative of 1024)",
            message,
            StringComparison.Ordinal
        );

        void Change(string name, Action<float[]> change)
        {
            var values = tensors[name].ToSingles();
            change(values);
            tensors[name] = TensorData.FromValues(values, tensors[name].Shape);
        }
    }

    [Theory]
    [InlineData(torch.ScalarType.Float16, (ushort)0x7C01)]
    [InlineData(torch.ScalarType.BFloat16, (ushort)0xFF80)]
    public void Half_precisions_are_looked_through_as_well(torch.ScalarType type, ushort bits)
    {
        var tensors = ReadDemo();
        var bytes = new byte[2 * 64];
        BitConverter.GetBytes(bits).CopyTo(bytes, 10);
        tensors["features.norm0.bias"] = new TensorData(type, [64], bytes);

        Assert.Contains(
            "norm0.bias (1 ",
            Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(tensors))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Products_of_finite_weights_beyond_float32_are_refused_by_the_normalisation()
    {
        var tensors = ReadDemo();
        tensors["features.norm0.weight"] = TensorData.FromValues(Enumerable.Repeat(3e38f, 64).ToArray(), 64);
        tensors["features.norm0.running_var"] = TensorData.FromValues(new float[64], 64);

        using var backbone = BackboneSource.Load(Write(tensors));

        Assert.Contains("'norm0'", Assert.Throws<WeightsException>(() => Features(backbone)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Features_that_are_no_finite_numbers_are_refused_where_finite_weights_make_them()
    {
        var tensors = ReadDemo();
        // Sums of a thousand rectified numbers, and then times almost the largest number there is.
        tensors["features.transition3.conv.weight"] = TensorData.FromValues(Enumerable.Repeat(1f, 512 * 1024).ToArray(), 512, 1024, 1, 1);
        tensors["features.norm5.weight"] = TensorData.FromValues(Enumerable.Repeat(3e38f, 1024).ToArray(), 1024);
        tensors["features.norm5.running_var"] = TensorData.FromValues(Enumerable.Repeat(1f, 1024).ToArray(), 1024);
        using var backbone = BackboneSource.Load(Write(tensors));

        var message = Assert.Throws<WeightsException>(() => Features(backbone)).Message;
        Assert.Matches("of 1 image, [0-9]+ features? (is|are) not (a )?finite numbers?, computed in fp32", message);
        Assert.Contains(
            "two trial images are no finite numbers",
            Assert.Throws<WeightsException>(() => BackboneProbe.ThrowIfUnusable(backbone)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Weights_that_let_nothing_of_an_image_through_are_found_and_others_are_not()
    {
        var tensors = ReadDemo();
        using var whole = BackboneSource.Load(Write(tensors));
        tensors["features.transition2.conv.weight"] = TensorData.FromValues(new float[256 * 512], 256, 512, 1, 1);
        using var cut = BackboneSource.Load(Write(tensors));

        BackboneProbe.ThrowIfUnusable(whole);
        Assert.Contains(
            "let nothing of an image through",
            Assert.Throws<WeightsException>(() => BackboneProbe.ThrowIfUnusable(cut)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Weights_beyond_float16_are_refused_in_that_precision_alone()
    {
        var tensors = ReadDemo();
        tensors["features.norm5.bias"] = TensorData.FromValues(Enumerable.Repeat(70_000f, 1024).ToArray(), 1024);
        using var backbone = (Backbone)BackboneSource.Load(Write(tensors));

        Assert.All(Features(backbone), value => Assert.True(float.IsFinite(value)));
        using var folded = new OperatorBackbone(backbone.Architecture.Graph.Folded(), backbone.Weights, Precision.Bf16, torch.CPU);
        var message = Assert
            .Throws<WeightsException>(() =>
                new OperatorBackbone(backbone.Architecture.Graph.Folded(), backbone.Weights, Precision.Fp16, torch.CPU)
            )
            .Message;
        Assert.Contains("beyond the numbers of fp16", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_convolution_of_zeros_is_a_convolution()
    {
        var tensors = ReadDemo();
        tensors["features.denseblock1.denselayer1.conv2.weight"] = TensorData.FromValues(new float[32 * 128 * 9], 32, 128, 3, 3);

        using var backbone = BackboneSource.Load(Write(tensors));

        Assert.All(Features(backbone), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void Two_names_for_one_tensor_are_refused()
    {
        var tensors = ReadDemo();
        tensors["features.denseblock1.denselayer1.norm.1.bias"] = tensors["features.denseblock1.denselayer1.norm1.bias"];
        Assert.Contains(
            "Two tensors",
            Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(tensors))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_normalisation_in_the_metadata_is_used_and_checked()
    {
        var tensors = ReadDemo();
        using var backbone = BackboneSource.Load(Write(tensors, new() { ["mean"] = "0.5,0.5,0.5", ["std"] = "0.25,0.25,0.25" }));
        Assert.Equal("mean=0.5,0.5,0.5;std=0.25,0.25,0.25", backbone.Preprocessing.Description);

        var message = Assert
            .Throws<WeightsException>(() => BackboneSource.Load(Write(tensors, new() { ["mean"] = "0.5", ["std"] = "0,0,0" })))
            .Message;
        Assert.Contains("0,0,0", message, StringComparison.Ordinal);
    }

    private static Dictionary<string, TensorData> ReadDemo()
    {
        using var file = SafetensorsFile.Open(BackboneSource.DemoPath);
        return file.Tensors.Keys.ToDictionary(name => name, file.ReadData);
    }

    private static float[] Features(IBackbone backbone)
    {
        using var extractor = new FeatureExtractor(backbone, Precision.Fp32, TorchSharp.torch.CPU);
        return extractor.Extract(GoldenData.Images(1, 32), 1, 32).Values;
    }

    /// <summary>A file of <c>torch.save</c>; the function turns tensors of float16 into what pickles as their state dict.</summary>
    private string WriteTorch(Func<Func<Dictionary<string, TensorData>, Action<PickleBuilder>>, Action<PickleBuilder>> describe)
    {
        var storages = new Dictionary<string, byte[]>();
        var pickle = PickleBuilder.Build(
            describe(tensors =>
                Dict(
                    tensors.Select(pair =>
                    {
                        Assert.Equal(torch.ScalarType.Float16, pair.Value.Type);
                        var key = $"{storages.Count}";
                        storages.Add(key, pair.Value.Bytes.ToArray());
                        return (
                            pair.Key,
                            Tensor("HalfStorage", key, 0, (int)pair.Value.ElementCount, [.. pair.Value.Shape.Select(side => (int)side)])
                        );
                    })
                )
            )
        );
        var path = _folder[Guid.NewGuid().ToString("N") + ".ckpt"];
        File.WriteAllBytes(path, TorchFiles.Zip(pickle, storages));
        return path;
    }

    private string Write(Dictionary<string, TensorData> tensors, Dictionary<string, string>? metadata = null)
    {
        var path = _folder[Guid.NewGuid().ToString("N") + ".safetensors"];
        File.WriteAllBytes(path, SafetensorsWriter.ToBytes(tensors, metadata));
        return path;
    }
}
