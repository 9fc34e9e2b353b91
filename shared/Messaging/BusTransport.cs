using Distributed.Contracts;
using Distributed.Jobs;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>Sends the messages of jobs by MassTransit; <see cref="JobConsumer{TJob}"/> receives them.</summary>
internal sealed class BusTransport(IBus bus, BusGate gate, TimeProvider time) : IJobTransport
{
    public Task Ready => gate.Open;

    /// <exception cref="ConnectionException">The broker is away, or has not accepted the message in time.</exception>
    public Task SendAsync(JobStage stage, IJobMessage message, RunPriority priority, CancellationToken cancellationToken) =>
        time.SendAsync(token => SendNowAsync(stage, message, priority, token), cancellationToken);

    private async Task SendNowAsync(JobStage stage, IJobMessage message, RunPriority priority, CancellationToken cancellationToken)
    {
        var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{stage.QueueFor(priority)}"));
        await endpoint.Send(
            (object)message,
            stage.MessageType,
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
}
