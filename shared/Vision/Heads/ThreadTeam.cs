using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Distributed.Vision.Heads;

/// <summary>
/// Threads that stay together for a computation of many short loops. A thread of the pool that waits for work sleeps, and waking
/// it takes as long as such a loop; these look out for the next loop for a moment before they sleep.
/// </summary>
internal sealed class ThreadTeam : IDisposable
{
    private static readonly TimeSpan Alert = TimeSpan.FromMilliseconds(1);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Thread[] _helpers;
    private volatile Loop? _loop;
    private volatile bool _ended;
    private int _asleep;

    /// <summary>Starts the team.</summary>
    /// <param name="threads">Threads that work, the caller's among them; at least 1.</param>
    public ThreadTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _helpers = [.. Enumerable.Range(1, threads - 1).Select(i => new Thread(Help) { IsBackground = true, Name = $"solver {i}" })];
        Array.ForEach(_helpers, helper => helper.Start());
    }

    /// <summary>Runs the parts of a loop, each once on some thread, and returns when all have ended. One loop at a time.</summary>
    /// <param name="parts">Parts are numbered from 0.</param>
    /// <param name="run">Runs a part.</param>
    public void Run(int parts, Action<int> run)
    {
        var loop = new Loop(parts, run);
        _loop = loop;
        Wake();
        loop.Work();
        loop.WaitForEnd();
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        _ended = true;
        Wake();
        Array.ForEach(_helpers, helper => helper.Join());
        _wake.Dispose();
    }

    private void Help()
    {
        Loop? last = null;
        while (!_ended)
        {
            if (_loop is { } loop && loop != last)
            {
                loop.Work();
                last = loop;
            }
            else
            {
                WaitForNext(last);
            }
        }
    }

    private void WaitForNext(Loop? last)
    {
        var since = Stopwatch.GetTimestamp();
        for (var spin = default(SpinWait); Stopwatch.GetElapsedTime(since) < Alert; spin.SpinOnce(sleep1Threshold: -1))
        {
            if (_loop != last || _ended)
            {
                return;
            }
        }

        lock (_lock)
        {
            // The caller looks for sleepers under the same lock, after it has brought work.
            if (_loop != last || _ended)
            {
                return;
            }

            _asleep++;
        }

        _wake.Wait();
    }

    private void Wake()
    {
        lock (_lock)
        {
            if (_asleep > 0)
            {
                _wake.Release(_asleep);
                _asleep = 0;
            }
        }
    }

    private sealed class Loop(int parts, Action<int> run)
    {
        private int _next = -1;
        private int _ended;
        private volatile ExceptionDispatchInfo? _error;

        public void Work()
        {
            for (var part = Interlocked.Increment(ref _next); part < parts; part = Interlocked.Increment(ref _next))
            {
                try
                {
                    run(part);
                }
                catch (Exception exception)
                {
                    _error = ExceptionDispatchInfo.Capture(exception);
                }
                finally
                {
                    Interlocked.Increment(ref _ended);
                }
            }
        }

        public void WaitForEnd()
        {
            for (var spin = default(SpinWait); Volatile.Read(ref _ended) < parts; spin.SpinOnce(sleep1Threshold: -1)) { }

            _error?.Throw();
        }
    }
}
