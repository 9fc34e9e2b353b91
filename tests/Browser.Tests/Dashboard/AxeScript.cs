using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;

namespace Distributed.Browser.Tests.Dashboard;

/// <summary>axe-core, which judges the accessibility of a page: from npm's cache or registry, since nothing of others is kept here.</summary>
internal static class AxeScript
{
    private const string Version = "4.14.1";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static readonly Lazy<Task<(string? Script, string? Missing)>> Found = new(FindAsync);

    /// <summary>Its source; the test is skipped where it cannot be had.</summary>
    public static async Task<string> ReadAsync()
    {
        var (script, missing) = await Found.Value;
        Assert.SkipWhen(script is null, $"axe-core cannot be had: {missing}");
        return script!;
    }

    private static async Task<(string? Script, string? Missing)> FindAsync()
    {
        var folder = Directory.CreateTempSubdirectory("axe-");
        try
        {
            using var npm = Process.Start(
                new ProcessStartInfo(
                    "npm",
                    ["pack", $"axe-core@{Version}", "--prefer-offline", "--silent", "--pack-destination", folder.FullName]
                )
                {
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                    UseShellExecute = false,
                    WorkingDirectory = folder.FullName,
                }
            )!;
            using var patience = new CancellationTokenSource(Patience);
            var errors = npm.StandardError.ReadToEndAsync(patience.Token);
            await npm.WaitForExitAsync(patience.Token);
            return npm.ExitCode == 0
                ? (await UnpackAsync(Assert.Single(folder.GetFiles("*.tgz")).FullName), null)
                : (null, $"npm ended with {npm.ExitCode}: {await errors}");
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            return (null, $"npm cannot be started: {exception.Message}");
        }
        catch (OperationCanceledException)
        {
            return (null, $"npm took more than {Patience.TotalMinutes} minutes");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> UnpackAsync(string path)
    {
        await using var file = File.OpenRead(path);
        await using var content = new GZipStream(file, CompressionMode.Decompress);
        await using var tar = new TarReader(content);
        while (await tar.GetNextEntryAsync() is { } entry)
        {
            if (entry.Name == "package/axe.min.js")
            {
                using var reader = new StreamReader(entry.DataStream!);
                return await reader.ReadToEndAsync();
            }
        }

        throw new InvalidDataException($"{path} has no package/axe.min.js.");
    }
}
