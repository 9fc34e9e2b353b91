using Distributed.Jobs;
using MassTransit;
using Microsoft.Extensions.Hosting;

namespace Distributed.Messaging;

/// <summary>Opens when a message that is sent is also kept: the bus has started and every queue is declared.</summary>
public sealed class BusGate(bool declaresNothing)
{
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _declared = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when messages may be sent.</summary>
    public Task Open => Task.WhenAll(_started.Task, declaresNothing ? Task.CompletedTask : _declared.Task);

    /// <summary>What it waits for another host to do, in whole sentences; null where it does not.</summary>
    public string? Waiting { get; internal set; }

    internal void BusStarted() => _started.TrySetResult();

    internal void TopologyDeclared()
    {
        Waiting = null;
        _declared.TrySetResult();
    }
}

/// <summary>Lets the bus begin when this host has shown that it can work; in memory, where nobody else could take a message, each waits for itself.</summary>
internal sealed class BusGateObserver(BusGate gate, BrokerAddress address, HostChecks checks, IHostApplicationLifetime lifetime)
    : IBusObserver
{
    public async Task PostStart(IBus bus, Task<BusReady> busReady)
    {
        await busReady;
        gate.BusStarted();
    }

    public void PostCreate(IBus bus) { }

    public void CreateFaulted(Exception exception) { }

    public Task PreStart(IBus bus) => address.IsInMemory ? Task.CompletedTask : checks.Passed.WaitAsync(lifetime.ApplicationStopping);

    public Task StartFaulted(IBus bus, Exception exception) => Task.CompletedTask;

    public Task PreStop(IBus bus) => Task.CompletedTask;

    public Task PostStop(IBus bus) => Task.CompletedTask;

    public Task StopFaulted(IBus bus, Exception exception) => Task.CompletedTask;
}
