using System.Diagnostics;
using System.Globalization;

namespace Distributed.Benchmarks;

/// <summary>
/// One side of a comparison: a process that prepares itself, says its name, and then answers every line that it is sent with a
/// figure. So both sides stay warm and take turns, and what disturbs the machine disturbs both.
/// </summary>
internal sealed class Contestant : IDisposable
{
    /// <summary>Makes this program a contestant instead of the one that compares.</summary>
    public const string Verb = "--contestant";

    /// <summary>What a contestant says first if it is ready; its name follows.</summary>
    public const string Ready = "ready ";

    private readonly Process _process;

    private Contestant(Process process, string name)
    {
        _process = process;
        Name = name;
    }

    public string Name { get; }

    /// <summary>Starts this program as a contestant.</summary>
    public static async Task<Contestant> StartAsync(string[] arguments, CancellationToken cancellationToken) =>
        await StartAsync(Environment.ProcessPath!, [.. HostArguments(), Verb, .. arguments], cancellationToken)
        ?? throw new InvalidOperationException($"The contestant '{string.Join(' ', arguments)}' did not become ready.");

    /// <summary>Starts any program that speaks the protocol.</summary>
    /// <returns>Null where it is not there, or ends before it is ready.</returns>
    public static async Task<Contestant?> StartAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        if (!File.Exists(program))
        {
            return null;
        }

        var process = Process.Start(
            new ProcessStartInfo(program, arguments)
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            }
        )!;
        try
        {
            while (await process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
            {
                if (line.StartsWith(Ready, StringComparison.Ordinal))
                {
                    return new Contestant(process, line[Ready.Length..]);
                }
            }
        }
        catch
        {
            End(process);
            throw;
        }

        End(process);
        return null;
    }

    /// <summary>Lets contestants take turns.</summary>
    /// <returns>The measurements, in the order of the contestants.</returns>
    public static async Task<Measurement[]> CompeteAsync(
        IReadOnlyList<Contestant> contestants,
        int rounds,
        CancellationToken cancellationToken
    )
    {
        var figures = contestants.Select(_ => new List<double>()).ToList();
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < contestants.Count; i++)
            {
                figures[i].Add(await contestants[i].MeasureAsync(cancellationToken));
            }
        }

        return [.. contestants.Select((contestant, i) => new Measurement(contestant.Name, figures[i]))];
    }

    public void Dispose() => End(_process);

    private static string[] HostArguments() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];

    private static void End(Process process)
    {
        if (!process.HasExited)
        {
            // A contestant may have started others.
            process.Kill(entireProcessTree: true);
        }

        process.Dispose();
    }

    private async Task<double> MeasureAsync(CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync("go".AsMemory(), cancellationToken);
        await _process.StandardInput.FlushAsync(cancellationToken);
        var line = await _process.StandardOutput.ReadLineAsync(cancellationToken);
        return double.TryParse(line, CultureInfo.InvariantCulture, out var figure)
            ? figure
            : throw new InvalidOperationException($"'{Name}' answered '{line}' instead of a number.");
    }
}
