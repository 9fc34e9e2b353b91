namespace Distributed.Jobs;

/// <summary>Bounds the waiting for what may never answer: a broker that accepts nothing for want of memory, a server that is frozen.</summary>
public static class TimeLimit
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    /// <summary>Runs an action that is cancelled when its time is over, and not waited for where it goes on all the same.</summary>
    /// <exception cref="TimeoutException">It has not ended in time.</exception>
    public static async Task<T> RunAsync<T>(
        this TimeProvider time,
        TimeSpan limit,
        Func<CancellationToken, Task<T>> action,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(action);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = action(ending.Token);
        try
        {
            return await running.WaitAsync(limit, time, cancellationToken);
        }
        catch (Exception) when (!running.IsCompleted)
        {
            await ending.CancelAsync();
            // It may have to put something right, as to take back that a message was sent.
            await Task.WhenAny(running, Task.Delay(Grace, time, CancellationToken.None));
            throw;
        }
    }

    /// <summary>Runs an action that is cancelled when its time is over, and not waited for where it goes on all the same.</summary>
    /// <exception cref="TimeoutException">It has not ended in time.</exception>
    public static Task RunAsync(
        this TimeProvider time,
        TimeSpan limit,
        Func<CancellationToken, Task> action,
        CancellationToken cancellationToken
    ) =>
        time.RunAsync(
            limit,
            async token =>
            {
                await action(token);
                return true;
            },
            cancellationToken
        );
}
