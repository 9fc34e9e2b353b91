using System.Text.RegularExpressions;

namespace Distributed.TestServers;

/// <summary>
/// Services as <c>dotnet publish</c> makes them with the options of <c>infra/docker/service.Dockerfile</c>, from nothing, below a
/// directory of their own. Large files are hard links: they may be removed, and must not be written.
/// </summary>
public sealed partial class Publication : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-publication-");
    private readonly SemaphoreSlim _one = new(1);
    private readonly Dictionary<string, string> _folders = new(StringComparer.Ordinal);

    /// <summary>The options that the images are published with, as in <c>--configuration Release</c>, without the project and the output.</summary>
    public static IReadOnlyList<string> Options()
    {
        var dockerfile = File.ReadAllText(Path.Combine(TestEnvironment.RepositoryRoot, "infra", "docker", "service.Dockerfile"));
        var command = Command().Match(dockerfile.Replace("\\\n", " ", StringComparison.Ordinal));
        return command.Success
            ? command.Groups["options"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : throw new InvalidOperationException(
                "infra/docker/service.Dockerfile has no 'dotnet publish PROJECT OPTIONS --output /app' any more; read the options from what it has instead."
            );
    }

    /// <summary>The folder of a published service; published once.</summary>
    public async Task<string> FolderAsync(string service)
    {
        await _one.WaitAsync();
        try
        {
            if (!_folders.TryGetValue(service, out var folder))
            {
                folder = Path.Combine(_folder.FullName, service);
                await RunAsync(
                    "dotnet",
                    [
                        "publish",
                        Path.Combine(TestEnvironment.RepositoryRoot, "services", service, $"{service}.csproj"),
                        .. Options(),
                        "--output",
                        folder,
                        "--artifacts-path",
                        Path.Combine(_folder.FullName, "artifacts"),
                        "--verbosity",
                        "quiet",
                        "-p:CreateHardLinksForPublishFilesIfPossible=true",
                        "-p:UseSharedCompilation=false",
                        "-nodeReuse:false",
                    ]
                );
                _folders.Add(service, folder);
            }

            return folder;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>The program of a published service.</summary>
    public async Task<string> ProgramAsync(string service) => ProgramIn(await FolderAsync(service), service);

    /// <summary>The program of a service in a folder.</summary>
    public static string ProgramIn(string folder, string service) => Path.Combine(folder, $"Distributed.{service}.dll");

    /// <summary>A further copy of a published service, for a test to damage.</summary>
    /// <param name="service">The service.</param>
    /// <param name="without">Patterns of files that are left out, as in <c>libSkiaSharp.*</c>; each must match one.</param>
    /// <returns>Its program.</returns>
    public async Task<string> CopyAsync(string service, params string[] without)
    {
        ArgumentNullException.ThrowIfNull(without);
        var copy = Path.Combine(_folder.FullName, $"{service}-{Guid.NewGuid():N}");
        await RunAsync("cp", ["-al", await FolderAsync(service), copy]);
        foreach (var pattern in without)
        {
            var files = Directory.GetFiles(copy, pattern, SearchOption.AllDirectories);
            if (files.Length == 0)
            {
                throw new InvalidOperationException($"{service} has no {pattern} to leave out.");
            }

            Array.ForEach(files, File.Delete);
        }

        return ProgramIn(copy, service);
    }

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        _one.Dispose();
    }

    private static async Task RunAsync(string program, IEnumerable<string> arguments)
    {
        await using var process = HostProcess.Start(
            program,
            arguments,
            new Dictionary<string, string?> { ["MSBUILDDISABLENODEREUSE"] = "1", ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1" }
        );
        if (await process.WaitForExitAsync(Patience) is not 0 and var status)
        {
            throw new InvalidOperationException($"{program} ended with {status}: {string.Join('\n', process.Lines.TakeLast(20))}");
        }
    }

    [GeneratedRegex(
        """dotnet publish "?services/[^ ]+\.csproj"? (?<options>[^&|$]*?) --output /app""",
        RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex Command();
}
