using System.Runtime.InteropServices;
using System.Text.Json;
using Distributed.Contracts;
using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;
using TorchSharp;
using Xunit;

namespace Distributed.Vision.Tests.Onnx;

/// <summary>Bases from ONNX files, against what PyTorch computes with the same weights (Golden/make_onnx.py).</summary>
public sealed class OnnxBaseTests
{
    private const int Size = 32,
        Images = 4;

    private static readonly JsonElement _expected = JsonDocument.Parse(File.ReadAllBytes(PathOf("expected.json"))).RootElement;

    private static readonly Preprocessing _cntk = new(
        [123.15f / 255, 115.90f / 255, 103.06f / 255],
        [1 / 255f, 1 / 255f, 1 / 255f],
        isBgr: true
    );

    [Theory]
    [InlineData("residual.onnx", null, "residual")]
    [InlineData("tokens.onnx", null, "class")]
    [InlineData("tokens.onnx", "class", "class")]
    [InlineData("tokens.onnx", "class+patches", "class+patches")]
    [InlineData("pooled.onnx", null, "pooled")]
    [InlineData("separable.onnx", null, "separable")]
    [InlineData("external.onnx", null, "separable")]
    [InlineData("channels-last.onnx", null, "channels-last")]
    public void Features_are_those_that_pytorch_computes(string file, string? output, string expected)
    {
        using var backbone = BackboneSource.Load(PathOf(file), onnx: OnnxSettings.Of(Preprocessing.Imagenet, output));

        AssertClose(Expected(expected), Features(backbone), 1e-4);
    }

    [Fact]
    public void Blue_before_red_a_missing_row_of_padding_and_a_pooling_of_the_whole_map_are_understood()
    {
        using var backbone = BackboneSource.Load(PathOf("reversed.onnx"), onnx: OnnxSettings.Of(_cntk));

        AssertClose(Expected("reversed"), Features(backbone), 1e-3);
        Assert.IsType<PlainBackbone>(backbone);
    }

    [Theory]
    [InlineData("residual.onnx", true)]
    [InlineData("reversed.onnx", true)]
    [InlineData("separable.onnx", false)]
    [InlineData("tokens.onnx", false)]
    public void What_our_kernels_know_is_computed_by_them_and_the_rest_by_onnx_runtime(string file, bool isKnown)
    {
        var settings = OnnxSettings.Of(file == "reversed.onnx" ? _cntk : Preprocessing.Imagenet);
        using var backbone = BackboneSource.Load(PathOf(file), onnx: settings);
        using var fast = backbone.ConvertTo(Precision.Fp32, torch.CPU);

        Assert.Equal(isKnown, fast is CompiledBackbone or OperatorBackbone);
        Assert.Equal(!isKnown, fast is OnnxBackbone);
        AssertClose(Features(backbone), Features(fast), 1e-4);
    }

    [Theory]
    [InlineData("residual.onnx")]
    [InlineData("reversed.onnx")]
    public void Imported_networks_have_the_features_of_onnx_runtime(string name)
    {
        var settings = OnnxSettings.Of(name == "reversed.onnx" ? _cntk : Preprocessing.Imagenet);
        using var imported = BackboneSource.Load(PathOf(name), onnx: settings);
        using var kernels = imported.ConvertTo(Precision.Fp32, torch.CPU);
        var file = OnnxFile.Open(PathOf(name));
        using var session = new OnnxSession(file, OnnxInput.Of(file), OnnxFeatures.Choose(file, null), settings);

        AssertClose(Run(session, Images), Features(kernels), 1e-4);
    }

    [Theory]
    [InlineData("tokens.onnx")]
    [InlineData("separable.onnx")]
    [InlineData("channels-last.onnx")]
    public void An_images_features_do_not_depend_on_those_beside_it(string name)
    {
        using var backbone = BackboneSource.Load(PathOf(name), onnx: OnnxSettings.Of(Preprocessing.Imagenet));
        var all = Features(backbone);

        for (var image = 0; image < Images; image++)
        {
            Assert.Equal(
                all[(image * backbone.FeatureSize)..((image + 1) * backbone.FeatureSize)],
                Features(backbone, Pixels()[(image * Size * Size * 3)..((image + 1) * Size * Size * 3)])
            );
        }
    }

    [Fact]
    public void A_tensor_inside_of_a_model_can_be_named()
    {
        var file = OnnxFile.Open(PathOf("separable.onnx"));
        var inner = file.ProducerOf(OnnxFeatures.Choose(file, null).Tensor)!.Inputs[0];
        using var expected = BackboneSource.Load(PathOf("separable.onnx"), onnx: OnnxSettings.Of(Preprocessing.Imagenet));
        using var backbone = BackboneSource.Load(PathOf("separable.onnx"), onnx: OnnxSettings.Of(Preprocessing.Imagenet, inner));

        AssertClose(Features(expected), Features(backbone), 1e-5);
        Assert.NotEqual(expected.Sha256, backbone.Sha256);
    }

    [Fact]
    public void Other_sizes_of_images_are_taken_where_the_model_takes_them()
    {
        using var dynamic = BackboneSource.Load(PathOf("separable.onnx"), onnx: OnnxSettings.Of(Preprocessing.Imagenet));
        using var isFixed = BackboneSource.Load(PathOf("tokens.onnx"), onnx: OnnxSettings.Of(Preprocessing.Imagenet));
        var pixels = new byte[64 * 64 * 3];

        Assert.Equal(dynamic.FeatureSize, Features(dynamic, pixels, 64).Length);
        Assert.Contains(
            "32 px alone",
            Assert.Throws<WeightsException>(() => Features(isFixed, pixels, 64)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Images_whose_sides_an_imported_model_pads_otherwise_are_refused()
    {
        using var backbone = BackboneSource.Load(PathOf("reversed.onnx"), onnx: OnnxSettings.Of(_cntk));

        var message = Assert.Throws<WeightsException>(() => Features(backbone, new byte[34 * 34 * 3], 34)).Message;

        Assert.Contains("multiples of 4 px", message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_and_its_use_are_what_a_base_is()
    {
        using var one = BackboneSource.Load(PathOf("tokens.onnx"), onnx: OnnxSettings.Of(Preprocessing.Imagenet));
        using var again = BackboneSource.Load(PathOf("tokens.onnx"), onnx: OnnxSettings.Read(one.Onnx!.Settings.Write()));
        using var other = BackboneSource.Load(PathOf("tokens.onnx"), onnx: OnnxSettings.Of(Preprocessing.Imagenet, "class+patches"));

        Assert.Equal(one.Sha256, again.Sha256);
        Assert.NotEqual(one.Sha256, other.Sha256);
        Assert.Equal(one.Onnx.FileSha256, other.Onnx!.FileSha256);
    }

    [Fact]
    public void Tensors_beside_a_model_are_a_part_of_it()
    {
        using var folder = new TemporaryFolder();
        File.Copy(PathOf("external.onnx"), folder["model.onnx"]);

        var missing = Assert.Throws<WeightsException>(() => OnnxFile.Open(folder["model.onnx"])).Message;
        File.Copy(PathOf("external.onnx_data"), folder["external.onnx_data"]);
        var before = OnnxFile.Open(folder["model.onnx"]).Sha256;
        using (var stream = File.OpenWrite(folder["external.onnx_data"]))
        {
            stream.WriteByte(1);
        }

        Assert.Contains("external.onnx_data", missing, StringComparison.Ordinal);
        Assert.NotEqual(before, OnnxFile.Open(folder["model.onnx"]).Sha256);
    }

    [Theory]
    [InlineData("""{"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1], "rescale_factor": 0.00392156862745098}""")]
    [InlineData("""{"image_mean": [127.5, 102, 76.5], "image_std": [51, 51, 25.5], "do_rescale": false}""")]
    [InlineData("""{"pretrained_cfg": {"input_size": [3, 256, 256], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}}""")]
    [InlineData("""{"test": [{"type": "resize"}, {"type": "normalize", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}]}""")]
    public void Publishers_files_say_how_pixels_are_normalised(string json)
    {
        var found = OnnxPreprocessing.Read(System.Text.Encoding.UTF8.GetBytes(json), "preprocessor_config.json")!;

        AssertClose([0.5f, 0.4f, 0.3f], found.Mean, 1e-6);
        AssertClose([0.2f, 0.2f, 0.1f], found.Std, 1e-6);
    }

    [Fact]
    public void A_file_beside_the_model_is_read_and_its_absence_is_said()
    {
        using var folder = new TemporaryFolder();
        File.Copy(PathOf("tokens.onnx"), folder["model.onnx"]);
        using var without = BackboneSource.Load(folder["model.onnx"]);
        File.WriteAllText(folder["preprocessor_config.json"], """{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}""");
        using var with = BackboneSource.Load(folder["model.onnx"]);

        Assert.Equal(Preprocessing.Imagenet, without.Preprocessing);
        Assert.Contains("no file beside it", without.Origin, StringComparison.Ordinal);
        Assert.Equal(0.5f, with.Preprocessing.Mean[0]);
        Assert.Contains("preprocessor_config.json", with.Origin, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_model_is_refused_by_what_is_wrong_with_it()
    {
        var whole = File.ReadAllBytes(PathOf("tokens.onnx"));

        Assert.Contains("damaged", Error(whole[..(whole.Length / 2)]), StringComparison.Ordinal);
        Assert.Contains("no ONNX model", Error([]), StringComparison.Ordinal);
        Assert.Contains(
            "no tensor 'nothing'",
            Assert
                .Throws<WeightsException>(() =>
                    BackboneSource.Load(PathOf("tokens.onnx"), onnx: OnnxSettings.Of(Preprocessing.Imagenet, "nothing"))
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "fp32 alone",
            Assert
                .Throws<WeightsException>(() =>
                {
                    using var backbone = BackboneSource.Load(PathOf("tokens.onnx"), onnx: OnnxSettings.Of(Preprocessing.Imagenet));
                    backbone.ConvertTo(Precision.Bf16, torch.CPU);
                })
                .Message,
            StringComparison.Ordinal
        );

        static string Error(byte[] content) => Assert.Throws<WeightsException>(() => OnnxFile.Parse(content, "it")).Message;
    }

    [Fact]
    public void Damaged_models_are_refused_and_nothing_else_happens()
    {
        var random = new Random(1);
        foreach (var name in (string[])["tokens.onnx", "separable.onnx", "reversed.onnx", "external.onnx"])
        {
            var whole = File.ReadAllBytes(PathOf(name));
            for (var i = 0; i < 500; i++)
            {
                var damaged = whole.ToArray();
                for (var changes = random.Next(1, 8); changes > 0; changes--)
                {
                    damaged[random.Next(Math.Min(damaged.Length, 4096))] = (byte)random.Next(256);
                }

                try
                {
                    var file = OnnxFile.Parse(new OnnxExternalData(Path.GetTempPath(), "it").Inline(damaged), "it");
                    var input = OnnxInput.Of(file);
                    new OnnxImport(file, input.Name, input.Size ?? 32, isReversed: false).TryImport(OnnxFeatures.Choose(file, null).Tensor);
                }
                catch (WeightsException)
                {
                    // As it has to be.
                }
            }
        }
    }

    private static string PathOf(string name) => GoldenData.PathOf(Path.Combine("onnx", name));

    private static float[] Expected(string name) =>
        [.. _expected.GetProperty(name).EnumerateArray().SelectMany(row => row.EnumerateArray().Select(value => value.GetSingle()))];

    /// <summary>The script's <c>images</c>.</summary>
    private static byte[] Pixels() => [.. Enumerable.Range(0, Images * Size * Size * 3).Select(n => (byte)(((ulong)n * 2654435761) >> 13))];

    private static float[] Features(IBackbone backbone) => Features(backbone, Pixels());

    private static float[] Features(IBackbone backbone, byte[] pixels, int size = Size)
    {
        using var scope = torch.NewDisposeScope();
        var images = torch.empty([pixels.Length / (size * size * 3), size, size, 3], dtype: torch.ScalarType.Byte);
        pixels.CopyTo(images.bytes);
        return MemoryMarshal.Cast<byte, float>(backbone.Features(images).cpu().contiguous().bytes).ToArray();
    }

    private static unsafe float[] Run(OnnxSession session, int count)
    {
        var features = new float[count * session.FeatureSize];
        fixed (byte* pixels = Pixels())
        fixed (float* target = features)
        {
            session.Run(pixels, count, Size, target, threads: 2);
        }

        return features;
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> found, double tolerance)
    {
        Assert.Equal(expected.Length, found.Length);
        var scale = 0.0;
        foreach (var value in expected)
        {
            scale = Math.Max(scale, Math.Abs(value));
        }

        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - found[i]) <= tolerance * scale, $"{i}: {found[i]} instead of {expected[i]}, of {scale}");
        }
    }
}
