using System.Diagnostics;
using System.Globalization;

namespace Distributed.Fuzzing;

/// <summary>What came of fuzzing one parser.</summary>
/// <param name="Parser">Its name.</param>
/// <param name="Inputs">Inputs parsed.</param>
/// <param name="Accepted">Inputs accepted.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Worst">The longest that an input took.</param>
/// <param name="WorstIndex">Which it was.</param>
/// <param name="MostAllocated">The most managed memory that an input took, bytes.</param>
/// <param name="PeakMemory">The most memory that a worker had, managed and native, bytes.</param>
/// <param name="Faults">What was found: an input's index and what is wrong.</param>
public sealed record FuzzResult(
    string Parser,
    long Inputs,
    long Accepted,
    TimeSpan Elapsed,
    TimeSpan Worst,
    long WorstIndex,
    long MostAllocated,
    long PeakMemory,
    IReadOnlyList<(long Index, string Fault)> Faults
);

/// <summary>Feeds one parser in several processes, and names the input that kills or holds up one of them.</summary>
public sealed class Campaign(string parser, ulong seed)
{
    private const int MostFaults = 10;
    private const int LongestFault = 1000;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private readonly List<(long Index, string Fault)> _faults = [];

    /// <summary>An input that takes longer is a fault. 20 s: far above what the largest image takes on a busy machine.</summary>
    public TimeSpan Hang { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Names of all parsers.</summary>
    public static IReadOnlyList<string> Parsers => FuzzTargets.Names;

    /// <summary>Parses inputs 0 to <paramref name="inputs"/> - 1, or as many of them as the time allows.</summary>
    /// <param name="inputs">How many.</param>
    /// <param name="limit">When to stop.</param>
    /// <param name="workers">How many processes.</param>
    /// <param name="progress">Told how many inputs were parsed; may be null.</param>
    /// <param name="cancellationToken">Ends all of it.</param>
    public async Task<FuzzResult> RunAsync(
        long inputs,
        TimeSpan limit,
        int workers,
        Action<long>? progress,
        CancellationToken cancellationToken
    )
    {
        var started = Stopwatch.StartNew();
        var directory = Directory.CreateTempSubdirectory("fuzz-");
        try
        {
            var boards = new List<Board>();
            for (var worker = 0; worker < workers; worker++)
            {
                boards.Add(new Board(BoardPath(directory, worker)));
            }

            var running = boards
                .Select(
                    (board, worker) =>
                        RunWorkerAsync(board, BoardPath(directory, worker), worker, inputs, workers, limit, cancellationToken)
                )
                .ToList();
            var all = Task.WhenAll(running);
            while (await Task.WhenAny(all, Task.Delay(TimeSpan.FromSeconds(5), cancellationToken)) != all)
            {
                progress?.Invoke(boards.Sum(board => board.Values.Begun));
            }

            await all;
            var worst = boards.MaxBy(board => board.Values.WorstTicks)!.Values;
            var result = new FuzzResult(
                parser,
                boards.Sum(board => board.Values.Begun),
                boards.Sum(board => board.Values.Accepted),
                started.Elapsed,
                Stopwatch.GetElapsedTime(0, worst.WorstTicks),
                worst.WorstIndex,
                boards.Max(board => board.Values.MostAllocated),
                boards.Max(board => board.Values.PeakMemory),
                [.. _faults.OrderBy(fault => fault.Index)]
            );
            boards.ForEach(board => board.Dispose());
            return result;
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static string BoardPath(DirectoryInfo directory, int worker) => Path.Combine(directory.FullName, $"{worker}");

    private async Task RunWorkerAsync(
        Board board,
        string boardPath,
        long first,
        long inputs,
        int workers,
        TimeSpan limit,
        CancellationToken cancellationToken
    )
    {
        var left = Stopwatch.StartNew();
        while (first < inputs && left.Elapsed < limit && FaultCount < MostFaults)
        {
            using var process = Start(first, inputs, workers, limit - left.Elapsed, boardPath);
            try
            {
                var reading = ReadFaultsAsync(process);
                var hung = await WatchAsync(process, board, cancellationToken);
                await reading;
                if (process.ExitCode == 0 || (!hung && FaultCount >= MostFaults))
                {
                    return;
                }

                var errors = await process.StandardError.ReadToEndAsync(cancellationToken);
                Add(
                    board.Values.Current,
                    hung ? $"no answer within {Hang.TotalSeconds} s" : $"the process died with status {process.ExitCode}: {errors}"
                );
                // The inputs behind the one that ended it.
                first = board.Values.Current + workers;
            }
            finally
            {
                if (!process.HasExited)
                {
                    process.Kill();
                }
            }
        }
    }

    private Process Start(long first, long inputs, int workers, TimeSpan limit, string boardPath)
    {
        string[] arguments =
        [
            "exec",
            typeof(Campaign).Assembly.Location,
            Program.WorkerVerb,
            parser,
            .. new[]
            {
                seed.ToString(CultureInfo.InvariantCulture),
                $"{first}",
                $"{inputs}",
                $"{workers}",
                limit.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            },
            boardPath,
        ];
        return Process.Start(
            new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            }
        )!;
    }

    private async Task ReadFaultsAsync(Process process)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith(Worker.Fault, StringComparison.Ordinal))
            {
                var parts = line[Worker.Fault.Length..].Split(' ', 2);
                Add(long.Parse(parts[0], CultureInfo.InvariantCulture), parts[1]);
                if (FaultCount >= MostFaults)
                {
                    process.Kill();
                }
            }
        }
    }

    /// <summary>Waits for the end, and brings it about where an input takes too long.</summary>
    private async Task<bool> WatchAsync(Process process, Board board, CancellationToken cancellationToken)
    {
        var ending = process.WaitForExitAsync(cancellationToken);
        var (begun, since) = (-1L, Stopwatch.StartNew());
        while (await Task.WhenAny(ending, Task.Delay(Poll, cancellationToken)) != ending)
        {
            if (board.Values.Begun != begun)
            {
                begun = board.Values.Begun;
                since.Restart();
            }
            else if (since.Elapsed > Hang)
            {
                process.Kill();
                await ending;
                return true;
            }
        }

        await ending;
        return false;
    }

    private int FaultCount
    {
        get
        {
            lock (_lock)
            {
                return _faults.Count;
            }
        }
    }

    private void Add(long index, string fault)
    {
        lock (_lock)
        {
            _faults.Add((index, fault.Length <= LongestFault ? fault : fault[..LongestFault] + "…"));
        }
    }
}
