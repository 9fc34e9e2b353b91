using Distributed.Jobs;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>Bounds how long the broker may take for one message.</summary>
internal static class SendLimit
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Sends or publishes one message.</summary>
    /// <exception cref="ConnectionException">The broker has not accepted it in time: an outage. It may come to accept it all the same.</exception>
    public static async Task SendAsync(this TimeProvider time, Func<CancellationToken, Task> action, CancellationToken cancellationToken)
    {
        try
        {
            await time.RunAsync(Limit, action, cancellationToken);
        }
        catch (TimeoutException exception)
        {
            throw new ConnectionException(
                $"The broker has not accepted a message within {Limit.TotalSeconds} s; has it raised an alarm of memory or disk?",
                exception
            );
        }
    }
}
