using System.Runtime.ExceptionServices;
using MassTransit;
using Microsoft.Extensions.Hosting;

namespace Distributed.Messaging;

/// <summary>
/// Leaves a message that a stopping host could not begin in its queue. Without it the bus takes the cancelling for an
/// error of the message and moves it to the error queue, where nobody looks for it.
/// </summary>
internal sealed class StoppingFilter(IHostApplicationLifetime lifetime) : IFilter<ExceptionReceiveContext>
{
    public Task Send(ExceptionReceiveContext context, IPipe<ExceptionReceiveContext> next)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested && context.Exception is ConsumerCanceledException)
        {
            // An error in the error's own handling makes the bus give the message back.
            ExceptionDispatchInfo.Throw(context.Exception);
        }

        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("stopping");
}
