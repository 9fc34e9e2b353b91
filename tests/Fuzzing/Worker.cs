using System.Diagnostics;

namespace Distributed.Fuzzing;

/// <summary>The process that parses: one input after the other, so that what is allocated meanwhile is that input's.</summary>
internal static class Worker
{
    /// <summary>What a line about a fault begins with.</summary>
    public const string Fault = "FAULT ";

    /// <summary>Parses the inputs <paramref name="first"/>, <paramref name="first"/> + <paramref name="stride"/>, … below <paramref name="end"/>.</summary>
    public static int Run(FuzzTarget target, ulong seed, long first, long end, long stride, TimeSpan limit, string boardPath)
    {
        using var board = new Board(boardPath);
        ref var state = ref board.Values;
        var until = Stopwatch.GetTimestamp() + (long)(limit.TotalSeconds * Stopwatch.Frequency);
        Volatile.Write(ref state.Current, first);
        // What is made once is no input's.
        Parse(target, target.Create(new FuzzRandom(seed, target.Name, first)));
        for (var index = first; index < end && Stopwatch.GetTimestamp() < until; index += stride)
        {
            var input = target.Create(new FuzzRandom(seed, target.Name, index));
            Volatile.Write(ref state.Current, index);
            Volatile.Write(ref state.Begun, state.Begun + 1);
            var allocated = GC.GetTotalAllocatedBytes();
            var started = Stopwatch.GetTimestamp();
            var (accepted, fault) = Parse(target, input);
            var ticks = Stopwatch.GetTimestamp() - started;
            allocated = GC.GetTotalAllocatedBytes() - allocated;
            state.Accepted += accepted ? 1 : 0;
            state.Refused += accepted ? 0 : 1;
            if (ticks > state.WorstTicks)
            {
                (state.WorstTicks, state.WorstIndex) = (ticks, index);
            }

            if (allocated > state.MostAllocated)
            {
                (state.MostAllocated, state.MostAllocatedIndex) = (allocated, index);
            }

            if (fault is null && allocated > target.MostAllocated(input.Length))
            {
                fault = $"{input.Length} bytes took {allocated} bytes of memory; {target.MostAllocated(input.Length)} are allowed";
            }

            if (fault is not null)
            {
                Console.WriteLine($"{Fault}{index} {fault.ReplaceLineEndings(" | ")}");
            }
        }

        state.PeakMemory = Math.Max(state.PeakMemory, Process.GetCurrentProcess().PeakWorkingSet64);
        return 0;
    }

    private static (bool Accepted, string? Fault) Parse(FuzzTarget target, byte[] input)
    {
        try
        {
            return (target.Parse(input), null);
        }
        catch (BrokenPromiseException broken)
        {
            return (false, broken.Message);
        }
#pragma warning disable CA1031 // Whatever else comes out of a parser is the fault that is looked for.
        catch (Exception exception)
        {
            return (false, exception.ToString());
        }
#pragma warning restore CA1031
    }
}
