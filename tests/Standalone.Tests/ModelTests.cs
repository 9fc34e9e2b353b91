using System.IO.Compression;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Standalone.Tests;

public sealed class ModelTests
{
    [Fact]
    public async Task A_run_becomes_a_model_that_is_promoted_exported_and_asked()
    {
        using var command = new CommandLine();
        Assert.Equal(0, (await command.ExecuteAsync(command.Run())).Code);
        var image = Path.Combine(command.Root, "image.png");
        await File.WriteAllBytesAsync(image, ColouredFields.Draw(1));
        var text = Path.Combine(command.Root, "text.png");
        await File.WriteAllTextAsync(text, "no image");

        Assert.Equal("shapes@1", Assert.Single((await ModelAsync("register", "shapes", "--note", "the first")).Output));
        Assert.Equal("shapes@champion is version 1.", Assert.Single((await ModelAsync("promote", "shapes@1", "champion")).Errors));
        var listed = Assert.Single((await ModelAsync("list")).Output).Split('\t');
        Assert.Equal(("shapes@1", "champion"), (listed[0], listed[^1]));

        var package = Path.Combine(command.Root, "package.zip");
        Assert.Equal(package, Assert.Single((await ModelAsync("export", "shapes@champion", "--output", package)).Output));
        using (var archive = ZipFile.OpenRead(package))
        {
            Assert.Equal(["model.json", "model.onnx", "head.safetensors", "README.md"], archive.Entries.Select(entry => entry.FullName));
        }

        var predicted = await ModelAsync("predict", "shapes@champion", image, text);
        Assert.Equal(1, predicted.Code);
        Assert.Equal(image, Assert.Single(predicted.Output).Split('\t')[0]);
        Assert.StartsWith($"error: {text}: ", Assert.Single(predicted.Errors), StringComparison.Ordinal);
        using var json = JsonDocument.Parse(Assert.Single((await ModelAsync("predict", "shapes@1", image, "--json")).Output));
        Assert.Equal(
            1,
            json.RootElement.GetProperty("classes").EnumerateArray().Sum(one => one.GetProperty("probability").GetDouble()),
            1e-5
        );

        var folder = Directory.CreateDirectory(Path.Combine(command.Root, "new"));
        File.Copy(image, Path.Combine(folder.FullName, "1.png"));
        var batch = await command.ExecuteAsync([
            "run",
            "--dataset",
            folder.FullName,
            "--model",
            "shapes@champion",
            "--volume",
            command.Volume,
            "--json",
        ]);
        using var outcome = JsonDocument.Parse(Assert.Single(batch.Output));
        Assert.Equal("shapes@1", outcome.RootElement.GetProperty("model").GetString());
        Assert.Equal(2, (await File.ReadAllLinesAsync(outcome.RootElement.GetProperty("csvPath").GetString()!)).Length);
        Assert.Contains(batch.Errors, line => line.Contains("Predicted as", StringComparison.Ordinal));
        // The latest run that trained a head is the first one still.
        Assert.Equal("again@1", Assert.Single((await ModelAsync("register", "again")).Output));
        var predicting = outcome.RootElement.GetProperty("runId").GetString()!;
        var refused = await ModelAsync("register", "again", "--run", predicting);
        Assert.Contains("predicts with shapes@1 and has no head of its own", Assert.Single(refused.Errors), StringComparison.Ordinal);
        var wrong = await command.ExecuteAsync(["run", "--model", "shapes@9", "--volume", command.Volume]);
        Assert.Equal((1, "error: --model cannot be used: "), (wrong.Code, Assert.Single(wrong.Errors)[..31]));

        Task<Ended> ModelAsync(params string[] arguments) => command.ExecuteAsync(["model", .. arguments, "--volume", command.Volume]);
    }

    [Theory]
    [InlineData("no completed run", "register", "shapes")]
    [InlineData("names no version", "export", "shapes")]
    [InlineData("no model shapes", "export", "shapes@1")]
    public async Task What_cannot_be_done_is_said_in_a_line(string reason, params string[] arguments)
    {
        using var command = new CommandLine();
        var address = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        await using (var server = CommandLine.Start(["serve", "--urls", $"{address}", "--volume", command.Volume]))
        {
            await server.WaitForHealthyAsync(new Uri(address, "/health/ready"));
        }

        var ended = await command.ExecuteAsync(["model", .. arguments, "--volume", command.Volume]);

        Assert.Equal(1, ended.Code);
        Assert.Contains(reason, Assert.Single(ended.Errors), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Where_nothing_was_trained_it_says_so()
    {
        using var command = new CommandLine();

        var ended = await command.ExecuteAsync(["model", "list", "--volume", command.Volume]);

        Assert.Equal(1, ended.Code);
        Assert.Contains("There is no catalog", Assert.Single(ended.Errors), StringComparison.Ordinal);
    }
}
