using Distributed.Catalog;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>Sends the messages of planned jobs, in the traces of their runs.</summary>
public sealed class JobDispatcher(JobOutbox outbox, IBus bus, BusGate gate, TimeProvider time)
{
    /// <summary>Sends what is to be sent for some scopes now.</summary>
    /// <param name="scopes">Runs, downloads, ingestions, feature sets.</param>
    /// <param name="again">Whether to send those again that were sent but not started: a message may have been lost.</param>
    /// <param name="cancellationToken">Stops waiting for broker or database.</param>
    public async Task SendAsync(IEnumerable<string> scopes, bool again, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(scopes);
        await gate.Open.WaitAsync(cancellationToken);
        foreach (var scope in scopes.Distinct(StringComparer.Ordinal))
        {
            var taken = await outbox.ClaimForDispatchAsync(scope, again, cancellationToken);
            // Together, since the broker says of each when it is safe.
            await SendOrReturnAsync(taken, job => SendAsync(job, cancellationToken));
        }
    }

    /// <summary>Sends the message of a job that was just planned: nobody else looks for it yet, so that it is marked sent and sent at once.</summary>
    public async Task SendNewAsync(Job job, CancellationToken cancellationToken)
    {
        await gate.Open.WaitAsync(cancellationToken);
        await SendOrReturnAsync(
            [job],
            one => Task.WhenAll(outbox.MarkDispatchedAsync(one, cancellationToken), SendAsync(one, cancellationToken))
        );
    }

    /// <summary>Sends the message of one job.</summary>
    /// <exception cref="ConnectionException">The broker is away, or has not taken the message in time.</exception>
    public async Task SendAsync(Job job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        using var trace = MessagingTelemetry.ContinueTrace("send job", job.TraceParent);
        await time.SendAsync(token => SendNowAsync(job, token), cancellationToken);
    }

    private async Task SendNowAsync(Job job, CancellationToken cancellationToken)
    {
        var route = JobRoutes.For(job.Kind);
        var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{route.QueueFor(job.Priority)}"));
        await endpoint.Send(
            (object)route.CreateMessage(job.Scope, job.Step),
            route.MessageType,
            Pipe.Execute<SendContext>(context =>
            {
                if (context.TryGetPayload<RabbitMqSendContext>(out var rabbit))
                {
                    // A message that no queue takes comes back as an error instead of vanishing.
                    rabbit.Mandatory = true;
                }
            }),
            cancellationToken
        );
    }

    private async Task SendOrReturnAsync(IReadOnlyList<Job> jobs, Func<Job, Task> send)
    {
        var sending = jobs.Select(job => (Job: job, Task: send(job))).ToList();
        try
        {
            await Task.WhenAll(sending.Select(one => one.Task));
        }
        catch
        {
            // The broker went away, or the host stops: whoever looks next finds them unsent, and need not wait for the watchdog.
            await outbox.ReturnUndispatchedAsync(
                sending.Where(one => !one.Task.IsCompletedSuccessfully).Select(one => one.Job),
                CancellationToken.None
            );
            throw;
        }
    }
}
