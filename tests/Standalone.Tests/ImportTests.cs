using Distributed.TestServers;

namespace Distributed.Standalone.Tests;

public sealed class ImportTests
{
    [Fact]
    public async Task A_project_of_custom_vision_is_imported_and_trained_on_and_the_script_gives_the_same_folders()
    {
        using var command = new CommandLine();
        var (commanded, scripted) = (Path.Combine(command.Root, "commanded"), Path.Combine(command.Root, "scripted"));
        await using var server = new CustomVisionServer([
            .. Enumerable
                .Range(0, 60)
                .Select(i => new ProjectImage(Guid.NewGuid(), ColouredFields.Draw(i, 40, 40), i % 2 == 0 ? "rose" : "tulip/wild")),
            new ProjectImage(Guid.NewGuid(), ColouredFields.Draw(99), "rose", "tulip/wild"),
        ]);
        var key = (Name: "CUSTOM_VISION_TRAINING_KEY", server.Key);

        var imported = await command.ExecuteAsync(
            ["import", "custom-vision", "--endpoint", $"{server.Endpoint}", "--project", $"{server.Project:D}", "--output", commanded],
            key
        );
        await using var script = HostProcess.Start(
            "/usr/bin/python3",
            [
                Path.Combine(TestEnvironment.RepositoryRoot, "docs", "examples", "custom_vision_export.py"),
                $"{server.Endpoint}",
                $"{server.Project:D}",
                scripted,
            ],
            new Dictionary<string, string?> { [key.Name] = key.Key }
        );

        Assert.Equal(0, imported.Code);
        Assert.Equal("flowers: 60 images in 2 classes, 60 of them fetched now", imported.Output[0]);
        Assert.Contains("1 images have several tags", Assert.Single(imported.Errors), StringComparison.Ordinal);
        Assert.Equal(0, await script.WaitForExitAsync());
        Assert.Equal("60 images, 60 of them fetched now; 1 with several tags left out", Assert.Single(script.Lines));
        Assert.Equal(Files(commanded), Files(scripted));
        Assert.Equal(60, Files(commanded).Count);
        var trained = await command.ExecuteAsync(command.Run("--dataset", commanded));
        Assert.Equal(0, trained.Code);
    }

    [Fact]
    public async Task Without_the_key_the_variable_is_named()
    {
        using var command = new CommandLine();

        var ended = await command.ExecuteAsync(
            ["import", "custom-vision", "--endpoint", "http://127.0.0.1:9/", "--project", $"{Guid.NewGuid():D}", "--output", command.Root],
            ("CUSTOM_VISION_TRAINING_KEY", "")
        );

        Assert.Equal(1, ended.Code);
        Assert.Contains("CUSTOM_VISION_TRAINING_KEY is not set", Assert.Single(ended.Errors), StringComparison.Ordinal);
    }

    private static List<string> Files(string folder) =>
        [
            .. Directory
                .GetFiles(folder, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(folder, file))
                .Order(StringComparer.Ordinal),
        ];
}
