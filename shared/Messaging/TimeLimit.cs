using MassTransit;

namespace Distributed.Messaging;

/// <summary>Ends the waiting for what may never answer: a broker that takes nothing for want of memory, a server that is frozen.</summary>
internal static class TimeLimit
{
    /// <summary>How long the broker may take for one message.</summary>
    public static readonly TimeSpan Send = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    /// <summary>Runs an action that is told to end when its time is over, and is not waited for where it does not.</summary>
    /// <exception cref="TimeoutException">It has not ended in time.</exception>
    public static async Task<T> RunAsync<T>(
        this TimeProvider time,
        TimeSpan limit,
        Func<CancellationToken, Task<T>> action,
        CancellationToken cancellationToken
    )
    {
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

    /// <summary>Runs an action that is told to end when its time is over, and is not waited for where it does not.</summary>
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

    /// <summary>Sends or publishes one message.</summary>
    /// <exception cref="ConnectionException">The broker has not taken it in time: an outage. It may come to take it all the same.</exception>
    public static async Task SendAsync(this TimeProvider time, Func<CancellationToken, Task> action, CancellationToken cancellationToken)
    {
        try
        {
            await time.RunAsync(Send, action, cancellationToken);
        }
        catch (TimeoutException exception)
        {
            throw new ConnectionException(
                $"The broker has not taken a message within {Send.TotalSeconds} s; has it raised an alarm of memory or disk?",
                exception
            );
        }
    }
}
