using System.Diagnostics;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Standalone.Tests;

/// <summary>What a command came to.</summary>
internal sealed record Ended(int Code, IReadOnlyList<string> Output, IReadOnlyList<string> Errors);

/// <summary>Runs the program in a directory of its own, on a small sample.</summary>
internal sealed class CommandLine : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    // A run with these is over in seconds.
    private static readonly (string Name, string Value)[] Small = [("--input-size", "32"), ("--precision", "fp32"), ("--epochs", "3")];

    public string Root { get; } = Directory.CreateTempSubdirectory("standalone-").FullName;

    public string Volume => Path.Combine(Root, "volume");

    public static Dictionary<string, string?> Settings =>
        new()
        {
            ["Ingestion__SampleTrainImages"] = "100",
            ["Ingestion__SampleTestImages"] = "100",
            ["Training__Device"] = "cpu",
            ["Training__Slice"] = "00:00:00.200",
        };

    /// <summary>A small run on this volume.</summary>
    public string[] Run(params string[] options) =>
        [
            "run",
            "--volume",
            Volume,
            .. Small.Where(option => !options.Contains(option.Name)).SelectMany(option => new[] { option.Name, option.Value }),
            .. options,
        ];

    public async Task<Ended> ExecuteAsync(string[] arguments, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet", [TestEnvironment.ServiceDll("Standalone"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = Root,
        };
        foreach (var (name, value) in Settings)
        {
            start.Environment[name] = value;
        }

        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(patience.Token);
            var errors = process.StandardError.ReadToEndAsync(patience.Token);
            await process.WaitForExitAsync(patience.Token);
            return new Ended(process.ExitCode, Lines(await output), Lines(await errors));
        }
        finally
        {
            process.Kill();
        }
    }

    public static HostProcess Start(string[] arguments, params (string Name, string Value)[] settings)
    {
        var all = Settings;
        foreach (var (name, value) in settings)
        {
            all[name] = value;
        }

        return HostProcess.StartService(TestEnvironment.ServiceDll("Standalone"), arguments, all);
    }

    /// <summary>The program where an interrupt is not ignored, as it is below a shell's background job.</summary>
    public static HostProcess StartInterruptible(string[] arguments) =>
        HostProcess.Start("env", ["--default-signal=INT", "dotnet", TestEnvironment.ServiceDll("Standalone"), .. arguments], Settings);

    public async Task<List<Run>> ReadRunsAsync()
    {
        var options = new DbContextOptionsBuilder<SqliteCatalogContext>()
            .UseSqlite($"Data Source={Path.Combine(Volume, "catalog.db")};Pooling=False")
            .UseSnakeCaseNamingConvention()
            .Options;
        await using var context = new SqliteCatalogContext(options);
        return await context.Runs.AsNoTracking().OrderBy(run => run.SubmittedAt).ToListAsync();
    }

    public static JsonElement Parse(string line)
    {
        using var document = JsonDocument.Parse(line);
        return document.RootElement.Clone();
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
