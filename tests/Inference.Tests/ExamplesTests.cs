using System.Globalization;
using System.Text.Json;
using Distributed.Contracts;
using Distributed.Imaging;
using Distributed.TestServers;

namespace Distributed.Inference.Tests;

/// <summary>The programs in docs/examples are run as they stand.</summary>
public sealed class ExamplesTests(ServedSample sample)
{
    private static readonly string Examples = ExampleProgram.Folder;

    private string Server => sample.Api.BaseAddress!.ToString().TrimEnd('/');

    [Fact]
    public async Task The_curl_example_prints_the_classes()
    {
        var image = sample.Server.Write("curl.png", sample.Images[0]);

        var (output, _) = await FinishedProgram.RunAsync(Path.Combine(Examples, "predict.sh"), [Server, "shapes@champion", image]);

        using var answer = JsonDocument.Parse(output);
        var classes = answer.RootElement.GetProperty("images")[0].GetProperty("classes");
        Assert.Equal(3, classes.GetArrayLength());
        var expected = await sample.PredictAsync(sample.Images[0]);
        Assert.Equal(expected.MaxBy(pair => pair.Value).Key, classes[0].GetProperty("class").GetString());
    }

    [Fact]
    public async Task The_python_example_prints_the_probabilities_of_all_classes()
    {
        var image = sample.Server.Write("python.png", sample.Images[1]);

        var program = await FinishedProgram.RunAsync(
            "/usr/bin/python3",
            [Path.Combine(Examples, "predict.py"), Server, "shapes@champion", image]
        );

        var expected = await sample.PredictAsync(sample.Images[1]);
        var printed = program.Rows;
        Assert.Equal(expected.Count, printed.Count);
        Assert.All(printed, row => Assert.Equal(expected[row[0]], double.Parse(row[1], CultureInfo.InvariantCulture), 1e-4));
    }

    [Fact]
    public async Task The_python_example_says_what_is_wrong()
    {
        var image = sample.Server.Write("wrong.png", sample.Images[1]);

        var (_, errors) = await FinishedProgram.RunAsync(
            "/usr/bin/python3",
            [Path.Combine(Examples, "predict.py"), Server, "other@champion", image],
            status: 1
        );

        Assert.Contains("There is no model other", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("crop")]
    [InlineData("pad")]
    [InlineData("stretch")]
    public async Task The_example_for_onnx_makes_the_pixels_that_the_network_was_trained_on(string fit)
    {
        // ONNX Runtime for Python is in no Debian package; the network itself is asked in .NET, and accepted by the checker.
        const string Script = """
            import sys
            sys.path.insert(0, sys.argv[1])
            from classify_onnx import to_square
            from PIL import Image
            for path in sys.argv[3:]:
                open(path + ".pixels", "wb").write(to_square(Image.open(path), 96, sys.argv[2]).tobytes())
            """;
        string[] files = [.. sample.Images.Select((image, i) => sample.Server.Write($"{fit}-{i}.png", image))];

        await FinishedProgram.RunAsync("/usr/bin/python3", ["-c", Script, Examples, fit, .. files]);

        for (var i = 0; i < files.Length; i++)
        {
            Assert.Equal(
                ImageFitting.Fit(ImageDecoder.Decode(sample.Images[i]), 96, Enum.Parse<FitMode>(fit, ignoreCase: true)),
                await File.ReadAllBytesAsync(files[i] + ".pixels")
            );
        }
    }

    [Fact]
    public async Task The_dotnet_example_is_built_from_the_package_and_classifies()
    {
        var classify = await ExampleProgram.BuildAsync("Inference", "classify", sample.Server.Folder);
        string[] images = [.. sample.Images.Select((image, i) => sample.Server.Write($"dotnet-{i}.png", image))];
        var notAnImage = sample.Server.Write("dotnet.txt", "no image"u8.ToArray());
        var program = await FinishedProgram.RunAsync("dotnet", [classify, sample.Package, .. images, notAnImage]);

        var rows = program.Rows;
        Assert.Equal(images, rows.Select(row => row[0]));
        for (var i = 0; i < images.Length; i++)
        {
            var expected = await sample.PredictAsync(sample.Images[i]);
            Assert.Equal(expected[rows[i][1]], double.Parse(rows[i][2], CultureInfo.InvariantCulture), 2e-4);
        }

        Assert.Contains(notAnImage, program.Errors, StringComparison.Ordinal);
    }
}
