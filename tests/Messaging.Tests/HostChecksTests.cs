using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;
using Distributed.ServiceDefaults;
using Distributed.TestServers;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Distributed.Messaging.Tests;

public sealed class HostChecksTests : IDisposable
{
    private readonly CatalogFile _catalog = new();

    public void Dispose()
    {
        // Hosts that end set the status of this process.
        Environment.ExitCode = 0;
        _catalog.Dispose();
    }

    [Fact]
    public async Task A_host_that_waits_takes_no_message_and_begins_by_itself_when_its_check_passes()
    {
        await using var broker = await RabbitMqVirtualHost.CreateAsync();
        var check = new Check { Result = HostCheckResult.Waiting("The volume is not mounted.") };
        await using var sender = await TestHost.StartAsync(_catalog.ConnectionString, broker.Uri.ToString());
        await using var waiting = await StartAsync(check, broker.Uri.ToString());
        await using var healthy = await StartAsync(new Check(), broker.Uri.ToString());
        await healthy.Services.GetRequiredService<BusGate>().Open.WaitAsync(Wait.Limit);
        await Wait.UntilAsync(() => check.Count > 1, "the check is repeated");

        var (_, job) = await sender.PlanTrainingAsync();
        await sender.SendAsync(job);
        await sender.UntilAsync(job, JobState.Done);

        Assert.Equal(("volume", "The volume is not mounted."), Assert.Single(waiting.Services.GetRequiredService<HostChecks>().Pending));
        Assert.False(waiting.Services.GetRequiredService<BusGate>().Open.IsCompleted);
        Assert.Empty(waiting.Script.Executions);

        check.Result = HostCheckResult.Passed;
        await waiting.Services.GetRequiredService<BusGate>().Open.WaitAsync(Wait.Limit);
        await healthy.StopAsync();
        var (_, second) = await sender.PlanTrainingAsync();
        await sender.SendAsync(second);
        await sender.UntilAsync(second, JobState.Done);
        Assert.Single(waiting.Script.Executions);
    }

    [Theory]
    [InlineData(HostCheckOutcome.Misconfigured, 2)]
    [InlineData(HostCheckOutcome.Broken, 1)]
    public async Task A_host_that_can_never_work_ends_with_a_status_and_takes_nothing(HostCheckOutcome outcome, int status)
    {
        await using var broker = await RabbitMqVirtualHost.CreateAsync();
        await using var sender = await TestHost.StartAsync(_catalog.ConnectionString, broker.Uri.ToString());
        var (_, job) = await sender.PlanTrainingAsync();
        await sender.SendAsync(job);
        await using var host = await StartAsync(
            new Check { Result = new(outcome, "Training__Device is 'tpu'.") },
            broker.Uri.ToString(),
            refused: true
        );

        var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        await Wait.UntilAsync(() => lifetime.ApplicationStopping.IsCancellationRequested, "the host is told to stop");
        await host.StopAsync();

        Assert.Equal(status, host.Services.GetRequiredService<FailFast>().ExitCode);
        Assert.Equal("volume: Training__Device is 'tpu'.", host.Services.GetRequiredService<FailFast>().Reason);
        Assert.Empty(host.Script.Executions);
        Assert.Equal((0, JobState.Pending), ((await sender.ReadAsync(job)).Attempts, (await sender.ReadAsync(job)).State));
    }

    [Fact]
    public async Task In_one_process_a_job_waits_for_the_checks_of_its_resource_alone()
    {
        var ofOthers = new Check { Resource = RunStages.Images, Result = HostCheckResult.Waiting("No codec.") };
        var own = new Check { Resource = RunStages.Tensors, Result = HostCheckResult.Waiting("No device.") };
        await using var host = await TestHost.StartAsync(
            _catalog.ConnectionString,
            consumers: set => TestHost.Training(set),
            configure: services => services.AddSingleton<IHostCheck>(ofOthers).AddSingleton<IHostCheck>(own)
        );
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await Wait.UntilAsync(() => own.Count > 1, "the check is repeated");
        Assert.Equal(JobState.Pending, (await host.ReadAsync(job)).State);

        own.Result = HostCheckResult.Passed;

        await host.UntilAsync(job, JobState.Done);
        Assert.Equal("volume", Assert.Single(host.Services.GetRequiredService<HostChecks>().Pending).Name);
    }

    /// <summary>A permanent error would fail the run, any other be charged to the job, a missing file be made again.</summary>
    public static TheoryData<Exception> Errors =>
        [new FormatException("no such class"), new DllNotFoundException("libSkiaSharp"), new Storage.StoredFileException("missing", ["a"])];

    [Theory]
    [MemberData(nameof(Errors), DisableDiscoveryEnumeration = true)]
    public async Task A_job_that_fails_on_a_host_whose_check_fails_then_is_given_back_uncharged_and_the_host_ends(Exception error)
    {
        var check = new Check();
        await using var host = await StartAsync(check);
        var (run, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (_, _) =>
        {
            check.Result = HostCheckResult.Broken("A library is missing.");
            throw error;
        };

        await host.SendAsync(job);

        var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        await Wait.UntilAsync(() => lifetime.ApplicationStopping.IsCancellationRequested, "the host is told to stop");
        await host.UntilAsync(job, JobState.Pending);
        await host.StopAsync();
        Assert.Equal(0, (await host.ReadAsync(job)).Attempts);
        Assert.Equal(RunState.Training, (await host.ReadAsync(run)).State);
        Assert.Equal("volume: A library is missing.", host.Services.GetRequiredService<FailFast>().Reason);
        Assert.Equal(1, host.Services.GetRequiredService<FailFast>().ExitCode);
    }

    [Fact]
    public async Task A_job_that_fails_on_a_host_whose_checks_pass_fails_its_run()
    {
        var check = new Check();
        await using var host = await StartAsync(check);
        var (run, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (_, _) => throw new FormatException("no such class");

        await host.SendAsync(job);

        await host.UntilAsync(run, RunState.Failed);
        Assert.Equal(2, check.Count);
        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);
    }

    [Fact]
    public async Task A_check_that_throws_is_a_broken_host_that_says_why_and_an_outage_is_waited_for()
    {
        var check = new Check { Error = new IOException("The volume does not answer.") };
        await using var host = await StartAsync(check);
        await Wait.UntilAsync(() => check.Count > 1, "the check is repeated");
        Assert.Equal(
            "The volume does not answer.",
            host.Services.GetRequiredService<HostChecks>().Pending.Single(pending => pending.Name == check.Name).Reason
        );

        check.Error = new TypeInitializationException("SkiaSharp.SKData", new DllNotFoundException("There is no libSkiaSharp."));

        await Wait.UntilAsync(() => host.Services.GetRequiredService<FailFast>().Reason is not null, "the host ends");
        Assert.EndsWith("There is no libSkiaSharp.", host.Services.GetRequiredService<FailFast>().Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Readiness_names_what_a_host_waits_for()
    {
        var check = new Check { Result = HostCheckResult.Waiting("The volume is not mounted.") };
        var volume = Directory.CreateTempSubdirectory("host-checks-");
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(
            new Dictionary<string, string?>
            {
                ["ConnectionStrings:Catalog"] = _catalog.ConnectionString,
                ["ConnectionStrings:RabbitMq"] = TestHost.InMemory,
                ["Volume:Root"] = volume.FullName,
            }
        );
        builder.Services.AddSingleton(new VolumeOptions(VolumeDuty.Begin));
        builder.Services.AddSingleton<IHostCheck>(check);
        builder.AddServiceDefaults("test", new ConsumerSet());
        using var host = builder.Build();
        await host.StartAsync();
        await host.Services.GetRequiredService<CatalogMigration>().Ready.WaitAsync(Wait.Limit);

        await Wait.UntilAsync(async () => (await CheckAsync()).Description == "volume: The volume is not mounted.", "the reason is known");
        Assert.Equal(HealthStatus.Unhealthy, (await CheckAsync()).Status);
        Assert.Contains("ready", (await CheckAsync()).Tags);
        check.Result = HostCheckResult.Passed;
        await Wait.UntilAsync(async () => (await CheckAsync()).Status == HealthStatus.Healthy, "the host is ready");
        await host.StopAsync();
        volume.Delete(recursive: true);

        async Task<HealthReportEntry> CheckAsync() =>
            (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Name == "host")).Entries["host"];
    }

    private Task<TestHost> StartAsync(Check check, string broker = TestHost.InMemory, bool refused = false) =>
        TestHost.StartAsync(
            _catalog.ConnectionString,
            broker,
            set => TestHost.Training(set),
            services => services.AddSingleton<IHostCheck>(check).AddSingleton(new PermanentError(typeof(FormatException))),
            awaitCatalog: !refused,
            awaitBus: broker == TestHost.InMemory
        );

    private sealed class Check : IHostCheck
    {
        private int _count;

        public string Name => "volume";

        public string? Resource { get; init; }

        public HostCheckResult Result { get; set; } = HostCheckResult.Passed;

        public Exception? Error { get; set; }

        /// <summary>How often it was asked.</summary>
        public int Count => Volatile.Read(ref _count);

        public Task<HostCheckResult> CheckAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _count);
            return Error is null ? Task.FromResult(Result) : Task.FromException<HostCheckResult>(Error);
        }
    }
}
