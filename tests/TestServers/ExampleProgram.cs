namespace Distributed.TestServers;

/// <summary>Builds programs of docs/examples as their users do: outside of the repository, from a library's package.</summary>
public static class ExampleProgram
{
    /// <summary>The folder of all examples.</summary>
    public static string Folder { get; } = Path.Combine(TestEnvironment.RepositoryRoot, "docs", "examples");

    /// <summary>Packs a library and builds an example with the package.</summary>
    /// <param name="library">Name of the project in shared.</param>
    /// <param name="example">Name of the example's folder, which is also its project's.</param>
    /// <param name="folder">Where to.</param>
    /// <returns>Path of the program's assembly.</returns>
    public static async Task<string> BuildAsync(string library, string example, string folder)
    {
        // A unique version: NuGet caches a package by its version, so a second restore would get the first build.
        var version = $"0.1.0-test.{Guid.NewGuid():N}";
        var (feed, target) = (Path.Combine(folder, "feed"), Path.Combine(folder, example));
        await FinishedProgram.RunAsync(
            "dotnet",
            [
                "pack",
                Path.Combine(TestEnvironment.RepositoryRoot, "shared", library),
                "--configuration",
                "Release",
                "--no-build",
                "--output",
                feed,
                $"-p:PackageVersion={version}",
            ]
        );
        Directory.CreateDirectory(target);
        foreach (var file in Directory.GetFiles(Path.Combine(Folder, example)))
        {
            var text = await File.ReadAllTextAsync(file);
            await File.WriteAllTextAsync(
                Path.Combine(target, Path.GetFileName(file)),
                text.Replace("Version=\"0.1.0\"", $"Version=\"{version}\"", StringComparison.Ordinal)
            );
        }

        await FinishedProgram.RunAsync(
            "dotnet",
            ["build", "--configuration", "Release", "--output", "out", "-p:NuGetAudit=false", $"-p:RestoreAdditionalProjectSources={feed}"],
            target
        );
        return Path.Combine(target, "out", $"{example}.dll");
    }
}
