using System.Threading.Channels;

namespace Distributed.Vision.Devices;

/// <summary>
/// The one thread on which a host computes with tensors: LibTorch's dispose scopes belong to a thread, and a device is
/// used best by one unit of work at a time.
/// </summary>
public sealed class TensorThread : IDisposable
{
    private readonly Channel<Action> _work = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Thread _thread;
    private Exception? _error;

    /// <summary>Starts the thread.</summary>
    /// <param name="threads">Threads that LibTorch computes one operator with; 0 for the number of cores. LibTorch keeps it by calling thread.</param>
    public TensorThread(int threads = 0)
    {
        _thread = new Thread(() => Work(threads)) { IsBackground = true, Name = "tensors" };
        _thread.Start();
    }

    /// <summary>Computes something on the thread, after what was asked for before.</summary>
    /// <param name="compute">Must not await; looks at its token often enough to end soon.</param>
    /// <param name="cancellationToken">Also withdraws what has not begun yet.</param>
    public Task<T> RunAsync<T>(Func<CancellationToken, T> compute, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(compute);
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var accepted = _work.Writer.TryWrite(() =>
        {
            try
            {
                cancellationToken.ThrowIfCancellationRequested();
                ThrowIfBroken();
                result.SetResult(compute(cancellationToken));
            }
            catch (OperationCanceledException exception) when (cancellationToken.IsCancellationRequested)
            {
                result.SetCanceled(exception.CancellationToken);
            }
            catch (Exception exception)
            {
                result.SetException(exception);
            }
        });
        ObjectDisposedException.ThrowIf(!accepted, this);
        return result.Task;
    }

    /// <summary>Ends the thread when what was asked for is done.</summary>
    public void Dispose()
    {
        _work.Writer.TryComplete();
        _thread.Join();
    }

    private void ThrowIfBroken()
    {
        if (_error is not null)
        {
            throw new InvalidOperationException(_error.GetBaseException().Message, _error);
        }
    }

    private void Work(int threads)
    {
        try
        {
            TorchEnvironment.SetThreads(threads);
        }
        catch (Exception exception)
        {
            // LibTorch is missing: an error here would end the process, so it is reported to the caller instead.
            _error = exception;
        }

        while (_work.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_work.Reader.TryRead(out var action))
            {
                action();
            }
        }
    }
}
