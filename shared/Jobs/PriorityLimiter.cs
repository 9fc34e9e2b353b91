using Distributed.Contracts;

namespace Distributed.Jobs;

/// <summary>
/// Decides which of the jobs that a host has been given is begun: of those that use the same resource one at a time, and
/// what is interactive before what is bulk. Only what is begun counts as an attempt when the host dies.
/// </summary>
public sealed class PriorityLimiter(TimeProvider time)
{
    /// <summary>How long bulk work waits after interactive work: its next job is on its way, and would wait for seconds behind a bulk one.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<string, Waiters> _resources = new(StringComparer.Ordinal);

    /// <summary>Waits for a job's slot.</summary>
    /// <param name="resource">What it uses (<see cref="JobStage.Resource"/>).</param>
    /// <param name="priority">Which queue it came from.</param>
    /// <param name="timeout">How long to wait at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The slot, to be disposed when the job has ended; null when none was free in time.</returns>
    public async Task<IDisposable?> EnterAsync(string resource, RunPriority priority, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Waiters place;
        lock (_resources)
        {
            if (!_resources.TryGetValue(resource, out place!))
            {
                _resources.Add(resource, place = new Waiters(time));
            }
        }

        var waiter = place.Wait(priority);
        try
        {
            return await waiter.Task.WaitAsync(timeout, time, cancellationToken);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            if (!waiter.TrySetCanceled(CancellationToken.None))
            {
                // The slot came free in this very moment.
                (await waiter.Task).Dispose();
            }

            if (exception is TimeoutException)
            {
                return null;
            }

            throw;
        }
    }

    /// <summary>The jobs that wait for one resource, and whether one uses it.</summary>
    private sealed class Waiters(TimeProvider time)
    {
        private readonly Lock _lock = new();
        private readonly Queue<TaskCompletionSource<IDisposable>> _interactive = new();
        private readonly Queue<TaskCompletionSource<IDisposable>> _bulk = new();
        private bool _taken;
        private long? _quietFrom;
        private ITimer? _quietEnd;

        public TaskCompletionSource<IDisposable> Wait(RunPriority priority)
        {
            var waiter = new TaskCompletionSource<IDisposable>(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_lock)
            {
                (priority == RunPriority.Interactive ? _interactive : _bulk).Enqueue(waiter);
                Next();
            }

            return waiter;
        }

        private void Leave(RunPriority priority)
        {
            lock (_lock)
            {
                _taken = false;
                if (priority == RunPriority.Interactive)
                {
                    _quietFrom = time.GetTimestamp();
                }

                Next();
            }
        }

        private void Next()
        {
            if (_taken || Give(_interactive, RunPriority.Interactive) || _bulk.Count == 0)
            {
                return;
            }

            var quiet = _quietFrom is { } from ? Quiet - time.GetElapsedTime(from) : TimeSpan.Zero;
            if (quiet <= TimeSpan.Zero)
            {
                Give(_bulk, RunPriority.Bulk);
                return;
            }

            _quietEnd?.Dispose();
            _quietEnd = time.CreateTimer(_ => QuietEnded(), state: null, quiet, Timeout.InfiniteTimeSpan);
        }

        private void QuietEnded()
        {
            lock (_lock)
            {
                Next();
            }
        }

        private bool Give(Queue<TaskCompletionSource<IDisposable>> waiters, RunPriority priority)
        {
            while (waiters.TryDequeue(out var waiter))
            {
                // One that does not wait any more is skipped.
                if (waiter.TrySetResult(new Slot(this, priority)))
                {
                    _taken = true;
                    return true;
                }
            }

            return false;
        }

        private sealed class Slot(Waiters place, RunPriority priority) : IDisposable
        {
            private Waiters? _place = place;

            public void Dispose() => Interlocked.Exchange(ref _place, null)?.Leave(priority);
        }
    }
}
