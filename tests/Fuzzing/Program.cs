using System.Diagnostics;
using System.Globalization;

namespace Distributed.Fuzzing;

/// <summary>The command line: <c>fuzz [PARSER…] [--inputs N] [--seconds N] [--seed N] [--workers N] [--input INDEX [--save FILE]]</c>.</summary>
public static class Program
{
    internal const string WorkerVerb = "worker";

    private static readonly string[] Known = ["--inputs", "--seconds", "--seed", "--workers", "--input", "--save"];

    /// <summary>Fuzzes parsers, prints a table, and returns 0 where nothing was found.</summary>
    public static async Task<int> Main(string[] arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        if (arguments is [WorkerVerb, var name, var seedText, var first, var end, var stride, var seconds, var board])
        {
            using var target = FuzzTargets.Create(name);
            return Worker.Run(
                target,
                ulong.Parse(seedText, CultureInfo.InvariantCulture),
                Long(first),
                Long(end),
                Long(stride),
                Seconds(seconds),
                board
            );
        }

        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        var parsers = new List<string>();
        for (var i = 0; i < arguments.Length; i++)
        {
            if (Known.Contains(arguments[i], StringComparer.Ordinal) && i + 1 < arguments.Length)
            {
                options[arguments[i]] = arguments[++i];
            }
            else if (FuzzTargets.Names.Contains(arguments[i], StringComparer.Ordinal))
            {
                parsers.Add(arguments[i]);
            }
            else
            {
                await Console.Error.WriteLineAsync(
                    $"error: '{arguments[i]}' is neither an option ({string.Join(", ", Known)}) with a value nor a parser ({string.Join(", ", FuzzTargets.Names)})"
                );
                return 2;
            }
        }

        var seed = options.TryGetValue("--seed", out var given)
            ? ulong.Parse(given, CultureInfo.InvariantCulture)
            : (ulong)Random.Shared.NextInt64(1_000_000_000);
        if (options.TryGetValue("--input", out var index))
        {
            return Repeat(parsers.Single(), seed, Long(index), options.GetValueOrDefault("--save"));
        }

        return await RunAsync(
            parsers.Count > 0 ? parsers : FuzzTargets.Names,
            seed,
            Long(options.GetValueOrDefault("--inputs", "1000000")),
            Seconds(options.GetValueOrDefault("--seconds", "36000")),
            (int)Long(options.GetValueOrDefault("--workers", $"{Environment.ProcessorCount}"))
        );
    }

    private static long Long(string text) => long.Parse(text, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    private static TimeSpan Seconds(string text) => TimeSpan.FromSeconds(double.Parse(text, CultureInfo.InvariantCulture));

    /// <summary>Makes one input again and parses it in this process, where a debugger can look.</summary>
    private static int Repeat(string parser, ulong seed, long index, string? save)
    {
        using var target = FuzzTargets.Create(parser);
        var input = target.Create(new FuzzRandom(seed, parser, index));
        if (save is not null)
        {
            File.WriteAllBytes(save, input);
        }

        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var started = Stopwatch.GetTimestamp();
        var accepted = target.Parse(input);
        Console.WriteLine(
            $"{input.Length} bytes: {(accepted ? "accepted" : "refused")} in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F1} ms, {GC.GetTotalAllocatedBytes(precise: true) - allocated} bytes allocated"
        );
        return 0;
    }

    private static async Task<int> RunAsync(IReadOnlyList<string> parsers, ulong seed, long inputs, TimeSpan limit, int workers)
    {
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, key) =>
        {
            key.Cancel = true;
            stop.Cancel();
        };
        Console.WriteLine($"seed {seed}, {inputs:N0} inputs a parser, {workers} workers");
        var results = new List<FuzzResult>();
        foreach (var parser in parsers)
        {
            var result = await new Campaign(parser, seed).RunAsync(
                inputs,
                limit,
                workers,
                done => Console.WriteLine($"  {parser}: {done:N0} of {inputs:N0}"),
                stop.Token
            );
            results.Add(result);
            foreach (var (index, fault) in result.Faults)
            {
                Console.WriteLine($"  FAULT in {parser}, input {index}: {fault}");
                Console.WriteLine($"  again: ./test.sh fuzz {parser} --seed {seed} --input {index}");
            }
        }

        Console.WriteLine();
        Console.WriteLine(
            "| parser | inputs | inputs/s | accepted | refused | longest ms | most allocated KiB | peak memory MiB | faults |"
        );
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (var row in results)
        {
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {row.Parser} | {row.Inputs:N0} | {row.Inputs / row.Elapsed.TotalSeconds:N0} | {row.Accepted:N0} | {row.Inputs - row.Accepted:N0} | {row.Worst.TotalMilliseconds:N0} | {row.MostAllocated >> 10:N0} | {row.PeakMemory >> 20:N0} | {row.Faults.Count} |"
                )
            );
        }

        var faults = results.Sum(row => row.Faults.Count);
        Console.WriteLine();
        Console.WriteLine($"fuzz: {results.Count} parsers, {results.Sum(row => row.Inputs)} inputs, {faults} faults, seed {seed}");
        return faults == 0 ? 0 : 1;
    }
}
