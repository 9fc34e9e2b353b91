using System.Text.Json;
using Distributed.TestServers;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Distributed.Inference.Tests;

public sealed class OnnxFileTests(ServedSample sample)
{
    [Fact]
    public async Task The_checker_of_the_onnx_package_accepts_the_file()
    {
        var path = sample.Server.Write("checked.onnx", await sample.Api.GetByteArrayAsync("/api/v1/models/shapes@1/export?file=onnx"));

        // With inference of shapes, which finds operators that do not fit each other.
        await FinishedProgram.RunAsync(
            "/usr/bin/python3",
            ["-c", "import sys, onnx; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)", path]
        );
    }

    [Fact]
    public async Task The_file_takes_any_number_of_images_and_says_what_its_outputs_mean()
    {
        using var session = new InferenceSession(await sample.Api.GetByteArrayAsync("/api/v1/models/shapes@1/export?file=onnx"));
        using var model = ImageClassifier.Load(sample.Package);
        var random = new Random(1);
        var pixels = new byte[3 * 96 * 96 * 3];
        random.NextBytes(pixels);

        using var results = session.Run([NamedOnnxValue.CreateFromTensor("images", new DenseTensor<byte>(pixels, [3, 96, 96, 3]))]);

        var probabilities = results.Single(value => value.Name == "probabilities").AsTensor<float>();
        var names = JsonSerializer.Deserialize<string[]>(session.ModelMetadata.CustomMetadataMap["class_names"])!;
        Assert.Equal(model.Classes, names);
        for (var i = 0; i < 3; i++)
        {
            var alone = model
                .PredictPixels(pixels[(i * 96 * 96 * 3)..((i + 1) * 96 * 96 * 3)])
                .Classes.ToDictionary(one => one.Class, one => one.Probability);
            Assert.All(names.Index(), name => Assert.Equal(alone[name.Item], probabilities[i, name.Index], 1e-5));
        }

        Assert.Equal([3, 1024], results.Single(value => value.Name == "features").AsTensor<float>().Dimensions.ToArray());
        Assert.Equal("crop", session.ModelMetadata.CustomMetadataMap["fit"]);
    }

    [Fact]
    public async Task The_model_card_has_figures_limits_and_lineage()
    {
        var card = await sample.Api.GetStringAsync("/api/v1/models/shapes@champion/export?file=card");

        foreach (var heading in (string[])["Figures", "Calibration", "Data", "Limits", "Use", "Lineage"])
        {
            Assert.Contains($"\n## {heading}\n", card, StringComparison.Ordinal);
        }

        Assert.Contains("95 % interval", card, StringComparison.Ordinal);
        Assert.Contains("Licence of the base's weights", card, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_head_alone_is_the_file_that_was_evaluated()
    {
        var head = await sample.Api.GetByteArrayAsync("/api/v1/models/shapes@champion/export?file=head");
        var version = await sample.Api.GetStringAsync("/api/v1/models/shapes/versions/1");

        using var detail = JsonDocument.Parse(version);
        Assert.Equal(
            detail.RootElement.GetProperty("lineage").GetProperty("headSha256").GetString(),
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(head))
        );
    }
}
