using MassTransit;

namespace Distributed.Messaging;

/// <summary>Opens when a message that is sent is also kept: the bus has started and every queue is declared.</summary>
public sealed class BusGate(bool declaresNothing)
{
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _declared = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when messages may be sent.</summary>
    public Task Open => Task.WhenAll(_started.Task, declaresNothing ? Task.CompletedTask : _declared.Task);

    internal void BusStarted() => _started.TrySetResult();

    internal void TopologyDeclared() => _declared.TrySetResult();
}

internal sealed class BusGateObserver(BusGate gate) : IBusObserver
{
    public async Task PostStart(IBus bus, Task<BusReady> busReady)
    {
        await busReady;
        gate.BusStarted();
    }

    public void PostCreate(IBus bus)
    {
    }

    public void CreateFaulted(Exception exception)
    {
    }

    public Task PreStart(IBus bus) => Task.CompletedTask;

    public Task StartFaulted(IBus bus, Exception exception) => Task.CompletedTask;

    public Task PreStop(IBus bus) => Task.CompletedTask;

    public Task PostStop(IBus bus) => Task.CompletedTask;

    public Task StopFaulted(IBus bus, Exception exception) => Task.CompletedTask;
}
