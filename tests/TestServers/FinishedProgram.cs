using System.Diagnostics;
using Xunit;

namespace Distributed.TestServers;

/// <summary>Runs programs to their end.</summary>
/// <param name="Output">What it wrote to standard output.</param>
/// <param name="Errors">What it wrote to standard error.</param>
public sealed record FinishedProgram(string Output, string Errors)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>The lines of <see cref="Output"/>, cut at tabs.</summary>
    public IReadOnlyList<string[]> Rows => [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))];

    /// <summary>Runs one.</summary>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its command line.</param>
    /// <param name="folder">Where it runs; here where null.</param>
    /// <param name="status">The status that it must end with.</param>
    public static async Task<FinishedProgram> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        string? folder = null,
        int status = 0
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = folder ?? "",
        };
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        Assert.True(process.ExitCode == status, $"{program} ended with {process.ExitCode}: {await output}\n{await errors}");
        return new FinishedProgram(await output, await errors);
    }
}
