using Distributed.Catalog;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>Sends the messages of planned units, in the traces of their runs.</summary>
public sealed class UnitDispatcher(UnitOutbox outbox, IBus bus, BusGate gate, TimeProvider time)
{
    /// <summary>Sends what is to be sent for some subjects now.</summary>
    /// <param name="subjects">Runs, downloads, ingestions, feature sets.</param>
    /// <param name="again">Whether to send those again that were sent but not started: a message may have been lost.</param>
    /// <param name="cancellationToken">Stops waiting for broker or database.</param>
    public async Task SendAsync(IEnumerable<string> subjects, bool again, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(subjects);
        await gate.Open.WaitAsync(cancellationToken);
        foreach (var subject in subjects.Distinct(StringComparer.Ordinal))
        {
            var taken = await outbox.TakeToSendAsync(subject, again, cancellationToken);
            // Together, since the broker says of each when it is safe.
            await SendOrReturnAsync(taken, unit => SendAsync(unit, cancellationToken));
        }
    }

    /// <summary>Sends the message of a unit that was just planned: nobody else looks for it yet, so that it is marked sent and sent at once.</summary>
    public async Task SendNewAsync(WorkUnit unit, CancellationToken cancellationToken)
    {
        await gate.Open.WaitAsync(cancellationToken);
        await SendOrReturnAsync(
            [unit],
            one => Task.WhenAll(outbox.MarkSentAsync(one, cancellationToken), SendAsync(one, cancellationToken))
        );
    }

    /// <summary>Sends the message of one unit.</summary>
    /// <exception cref="ConnectionException">The broker is away, or has not taken the message in time.</exception>
    public async Task SendAsync(WorkUnit unit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        using var trace = MessagingTelemetry.ContinueTrace("send unit", unit.TraceParent);
        await time.SendAsync(token => SendNowAsync(unit, token), cancellationToken);
    }

    private async Task SendNowAsync(WorkUnit unit, CancellationToken cancellationToken)
    {
        var route = UnitRoutes.For(unit.Kind);
        var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{route.QueueFor(unit.Priority)}"));
        await endpoint.Send(
            (object)route.CreateMessage(unit.Subject, unit.Step),
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

    private async Task SendOrReturnAsync(IReadOnlyList<WorkUnit> units, Func<WorkUnit, Task> send)
    {
        var sending = units.Select(unit => (Unit: unit, Task: send(unit))).ToList();
        try
        {
            await Task.WhenAll(sending.Select(one => one.Task));
        }
        catch
        {
            // The broker went away, or the host stops: whoever looks next finds them unsent, and need not wait for the watchdog.
            await outbox.ReturnUnsentAsync(
                sending.Where(one => !one.Task.IsCompletedSuccessfully).Select(one => one.Unit),
                CancellationToken.None
            );
            throw;
        }
    }
}
