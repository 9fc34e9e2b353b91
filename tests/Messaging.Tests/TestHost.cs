using System.Collections.Concurrent;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;
using MassTransit;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging.Tests;

/// <summary>A catalog file that outlives the hosts of a test.</summary>
internal sealed class CatalogFile : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"messaging-{Guid.NewGuid():N}.db");

    public string ConnectionString => $"Data Source={_path}";

    public void Dispose()
    {
        using (var connection = new SqliteConnection(ConnectionString))
        {
            SqliteConnection.ClearPool(connection);
        }

        foreach (var suffix in (string[])["", "-wal", "-shm"])
        {
            File.Delete(_path + suffix);
        }
    }
}

/// <summary>A host as the services have it, with the test's consumers, started.</summary>
internal sealed class TestHost : IAsyncDisposable
{
    public const string InMemory = "in-memory";

    private readonly IHost _host;

    private TestHost(IHost host, Messages messages, Script script)
    {
        _host = host;
        Messages = messages;
        Script = script;
    }

    public Messages Messages { get; }

    public Script Script { get; }

    public IServiceProvider Services => _host.Services;

    public IBus Bus => Services.GetRequiredService<IBus>();

    public async Task<int> CountEpochsAsync(Guid runId)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        return await context.EpochMetrics.CountAsync(metric => metric.RunId == runId);
    }

    public IDbContextFactory<CatalogContext> Contexts => Services.GetRequiredService<IDbContextFactory<CatalogContext>>();

    public JobStore Store => Services.GetRequiredService<JobStore>();

    public JobOutbox Outbox => Services.GetRequiredService<JobOutbox>();

    public JobRepair Repair => Services.GetRequiredService<JobRepair>();

    public RunControl Control => Services.GetRequiredService<RunControl>();

    public RunRegister Register => Services.GetRequiredService<RunRegister>();

    public JobDispatcher Dispatcher => Services.GetRequiredService<JobDispatcher>();

    public RunEventPublisher Publisher => Services.GetRequiredService<RunEventPublisher>();

    /// <summary>A watchdog that looks only when told to.</summary>
    public Watchdog Watchdog => ActivatorUtilities.CreateInstance<Watchdog>(Services);

    public static async Task<TestHost> StartAsync(
        string catalog,
        string broker = InMemory,
        Action<ConsumerSet>? consumers = null,
        Action<IServiceCollection>? configure = null,
        bool awaitCatalog = true,
        bool awaitBus = true
    )
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddProvider(new TestOutput());
        var script = new Script();
        var messages = new Messages();
        builder.Services.AddSingleton(script);
        builder.Services.AddSingleton(new JobOptions { Heartbeat = TimeSpan.FromMilliseconds(50) });
        builder.Services.Configure<HostOptions>(options => options.ServicesStartConcurrently = true);
        builder.Services.AddCatalog(catalog);
        var set = new ConsumerSet();
        consumers?.Invoke(set);
        builder.Services.AddPipeline();
        builder.Services.AddSingleton<IJobFlow>(services => new ScriptedFlow(
            ActivatorUtilities.CreateInstance<RunFlow>(services),
            services.GetRequiredService<Script>()
        ));
        builder.Services.AddMessaging(broker, set);
        builder.Services.AddRunEvents();
        configure?.Invoke(builder.Services);
        var host = builder.Build();
        var bus = host.Services.GetRequiredService<IBus>();
        bus.ConnectSendObserver(messages);
        bus.ConnectPublishObserver(messages);
        bus.ConnectReceiveObserver(messages);
        try
        {
            await host.StartAsync();
        }
        catch (OperationCanceledException) when (host.Services.GetRequiredService<FailFast>().Reason is not null)
        {
            // It has ended by itself before its start was over, as a service's host does then.
        }

        if (awaitCatalog)
        {
            await host.Services.GetRequiredService<CatalogMigration>().Ready.WaitAsync(Wait.Limit);
        }

        if (awaitBus)
        {
            await host.Services.GetRequiredService<BusGate>().Open.WaitAsync(Wait.Limit);
        }

        return new TestHost(host, messages, script);
    }

    public static ConsumerSet Training(ConsumerSet set) => set.AddJobs<ScriptedTraining, TrainHead>();

    public Task StopAsync() => _host.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    /// <summary>A run in training whose first slice is planned and not sent.</summary>
    public async Task<(Run Run, JobKey Job)> PlanTrainingAsync(string? traceParent = null, RunPriority priority = RunPriority.Interactive)
    {
        var run = new Run
        {
            Id = Guid.NewGuid(),
            Name = "test",
            Tags = [],
            Specification = "{}",
            SubmittedAt = DateTime.UtcNow,
            TraceParent = traceParent,
            Priority = priority,
        };
        await Register.SubmitAsync(run, AuditActor.Loopback, CancellationToken.None);
        var job = new JobKey(nameof(TrainHead), JobKey.ScopeOf(run.Id), 0);
        await using var context = await Contexts.CreateDbContextAsync();
        Assert.True(await context.MoveRunAsync(run.Id, RunState.Submitted, RunState.Training, DateTime.UtcNow, CancellationToken.None));
        await context.Jobs.Where(row => row.Scope == job.Scope).ExecuteDeleteAsync();
        context.PlanJobs(job.Kind, job.Scope, [0], traceParent, DateTime.UtcNow);
        await context.SaveChangesAsync();
        return (run, job);
    }

    public Task SendAsync(JobKey job) => Dispatcher.SendAsync([job.Scope], again: false, CancellationToken.None);

    /// <summary>Sends a job's message a further time, as a watchdog or a redelivery would.</summary>
    public async Task SendDuplicateAsync(JobKey job) => await Dispatcher.SendAsync(await ReadAsync(job), CancellationToken.None);

    public async Task<Job> ReadAsync(JobKey job)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        return await context.Jobs.AsNoTracking().SingleAsync(row => row.Kind == job.Kind && row.Scope == job.Scope && row.Step == job.Step);
    }

    public async Task<bool> IsAsync(JobKey job, JobState state)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        return await context.Jobs.AnyAsync(row =>
            row.Kind == job.Kind && row.Scope == job.Scope && row.Step == job.Step && row.State == state
        );
    }

    public async Task<Run> ReadAsync(Run run)
    {
        await using var context = await Contexts.CreateDbContextAsync();
        return await context.Runs.AsNoTracking().SingleAsync(row => row.Id == run.Id);
    }

    public Task UntilAsync(JobKey job, JobState state) => Wait.UntilAsync(() => IsAsync(job, state), $"{job} is {state}");

    public Task UntilAsync(Run run, RunState state) =>
        Wait.UntilAsync(async () => (await ReadAsync(run)).State == state, $"the run is {state}");

    /// <summary>Makes it look as if a job's message had been sent, and its lease had ended, long ago.</summary>
    /// <param name="job">The job.</param>
    /// <param name="age">How long ago, an hour where null; below zero it lies ahead.</param>
    public async Task AgeAsync(JobKey job, TimeSpan? age = null)
    {
        var past = DateTime.UtcNow - (age ?? TimeSpan.FromHours(1));
        await using var context = await Contexts.CreateDbContextAsync();
        await context
            .Jobs.Where(row => row.Scope == job.Scope && row.Step == job.Step && row.Kind == job.Kind)
            .ExecuteUpdateAsync(row =>
                row.SetProperty(r => r.DispatchedAt, r => r.DispatchedAt == null ? null : past)
                    .SetProperty(r => r.LeaseUntil, r => r.LeaseUntil == null ? null : past)
            );
    }

    /// <summary>Shows the host's log beside a failed test.</summary>
    private sealed class TestOutput : ILoggerProvider, ILogger
    {
        private readonly ITestOutputHelper? _output = TestContext.Current.TestOutputHelper;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            try
            {
                _output?.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {logLevel}: {formatter(state, exception)} {exception}");
            }
            catch (InvalidOperationException)
            {
                // The test is over and the host still has something to say.
            }
        }

        public void Dispose() { }
    }
}

/// <summary>What a host's bus sent, published and acknowledged.</summary>
internal sealed class Messages : ISendObserver, IPublishObserver, IReceiveObserver
{
    private readonly ConcurrentQueue<object> _sent = [];
    private readonly ConcurrentQueue<object> _published = [];

    private int _acknowledged;

    /// <summary>Messages that the broker need not give out again.</summary>
    public int Acknowledged => Volatile.Read(ref _acknowledged);

    public IReadOnlyList<object> Sent => [.. _sent];

    public IReadOnlyList<object> Published => [.. _published];

    /// <summary>What sending waits for.</summary>
    public Task Sending { get; set; } = Task.CompletedTask;

    /// <summary>The error that publishing ends in, where a test wants one.</summary>
    public Exception? PublishError { get; set; }

    public Task PreSend<T>(SendContext<T> context)
        where T : class => Sending;

    public Task PostSend<T>(SendContext<T> context)
        where T : class
    {
        _sent.Enqueue(context.Message);
        return Task.CompletedTask;
    }

    public Task SendFault<T>(SendContext<T> context, Exception exception)
        where T : class => Task.CompletedTask;

    public Task PrePublish<T>(PublishContext<T> context)
        where T : class => PublishError is null ? Task.CompletedTask : Task.FromException(PublishError);

    public Task PostPublish<T>(PublishContext<T> context)
        where T : class
    {
        _published.Enqueue(context.Message);
        return Task.CompletedTask;
    }

    public Task PublishFault<T>(PublishContext<T> context, Exception exception)
        where T : class => Task.CompletedTask;

    public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

    public Task PostReceive(ReceiveContext context)
    {
        Interlocked.Increment(ref _acknowledged);
        return Task.CompletedTask;
    }

    public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
        where T : class => Task.CompletedTask;

    public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
        where T : class => Task.CompletedTask;

    public Task ReceiveFault(ReceiveContext context, Exception exception) => Task.CompletedTask;
}
