using Distributed.Jobs;
using Distributed.OrderPipeline;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Distributed.Jobs.Tests;

/// <summary>A worker of the order pipeline in this process, on SQLite and the broker in memory.</summary>
internal sealed class OrderHost : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly Power _power = new();
    private readonly Task _delivering;

    public OrderHost(string connectionString, InMemoryBroker broker)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        Program.AddOrders(
            builder.Services,
            options => options.UseSqlite(connectionString),
            exception =>
                exception is SqliteException { SqliteErrorCode: 5 or 6 }
                || exception.InnerException is SqliteException { SqliteErrorCode: 5 or 6 }
        );
        builder.Services.AddSingleton<IJobTransport>(broker);
        builder.Services.AddSingleton<IQueueInspector>(broker);
        builder.Services.AddTransient<IJobHandler<AcceptOrder>, AcceptOrderHandler>();
        builder.Services.AddTransient<IJobHandler<MakePart>, MakePartHandler>();
        builder.Services.AddTransient<IJobHandler<AssembleParts>, AssemblePartsHandler>();
        builder.Services.AddTransient<IJobHandler<DeliverOrder>, DeliverOrderHandler>();
        // A host without power reaches no database: what it had begun is never written.
        builder.Services.AddSingleton<IDbContextFactory<JobsContext>>(services => new PoweredContexts(
            services.GetRequiredService<IDbContextFactory<OrderContext>>(),
            _power
        ));
        _host = builder.Build();
        _delivering = Task.WhenAll(
            Task.Run(() => broker.DeliverAsync<AcceptOrder>(_host.Services, _power)),
            Task.Run(() => broker.DeliverAsync<MakePart>(_host.Services, _power)),
            Task.Run(() => broker.DeliverAsync<AssembleParts>(_host.Services, _power)),
            Task.Run(() => broker.DeliverAsync<DeliverOrder>(_host.Services, _power))
        );
    }

    public IServiceProvider Services => _host.Services;

    public IDbContextFactory<OrderContext> Contexts => Services.GetRequiredService<IDbContextFactory<OrderContext>>();

    public JobDispatcher Dispatcher => Services.GetRequiredService<JobDispatcher>();

    public Watchdog Watchdog => ActivatorUtilities.CreateInstance<Watchdog>(Services);

    public static async Task<OrderHost> StartAsync(string connectionString, InMemoryBroker broker)
    {
        var host = new OrderHost(connectionString, broker);
        await host._host.StartAsync();
        return host;
    }

    /// <summary>Takes the power away; what the host held, the broker delivers to others.</summary>
    public async Task KillAsync()
    {
        await _power.CutAsync();
        await _delivering;
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        await _host.StopAsync();
        _host.Dispose();
        _power.Dispose();
    }

    private sealed class PoweredContexts(IDbContextFactory<OrderContext> contexts, Power power) : IDbContextFactory<JobsContext>
    {
        public JobsContext CreateDbContext() =>
            power.IsOn ? contexts.CreateDbContext() : throw new InvalidOperationException("This host has no power.");
    }
}
