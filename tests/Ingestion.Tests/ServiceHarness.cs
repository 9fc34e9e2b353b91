using System.Collections.Concurrent;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Imaging;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Distributed.ServiceDefaults;
using Distributed.Storage;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.ServiceTests;

/// <summary>Some services in this process, with a catalog, a volume and a bus of their own; ends with its directory.</summary>
internal sealed class ServiceHarness : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly IHost _host;

    private ServiceHarness(IHost host, string directory) => (_host, Root) = (host, directory);

    /// <summary>The directory of this test; <c>data</c> below it may be read by runs.</summary>
    public string Root { get; }

    public IServiceProvider Services => _host.Services;

    public Volume Volume => Services.GetRequiredService<Volume>();

    /// <summary>The final events of runs that were published so far.</summary>
    public ConcurrentQueue<object> Events { get; } = new();

    /// <param name="addServices">Registers the services and their consumers.</param>
    /// <param name="settings">Beside those of catalog, bus, volume and data.</param>
    public static async Task<ServiceHarness> StartAsync(
        Action<IHostApplicationBuilder, ConsumerSet> addServices,
        params (string Name, string Value)[] settings
    )
    {
        var directory = Path.Combine(Path.GetTempPath(), $"service-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path.Combine(directory, "data"));
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = directory });
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(
            new Dictionary<string, string?>
            {
                ["Volume:Root"] = Path.Combine(directory, "volume"),
                ["Data:Roots:0"] = Path.Combine(directory, "data"),
                ["ConnectionStrings:Catalog"] = $"Data Source={Path.Combine(directory, "catalog.db")};Pooling=False",
                ["ConnectionStrings:RabbitMq"] = "in-memory",
            }
        );
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Name, (string?)setting.Value)));
        builder.Services.AddSingleton<TimeProvider>(new HurriedTime());
        var consumers = new ConsumerSet();
        addServices(builder, consumers);
        // No AdminApi is there to do so.
        builder.Services.AddSingleton(new VolumeOptions(VolumeDuty.Begin));
        builder.AddServiceDefaults("test", consumers);
        var harness = new ServiceHarness(builder.Build(), directory);
        await harness._host.StartAsync();
        await harness.Services.GetRequiredService<HostChecks>().Passed.WaitAsync(Patience);
        var observer = harness
            .Services.GetRequiredService<IBusControl>()
            .ConnectReceiveEndpoint(
                "observer",
                endpoint =>
                {
                    endpoint.Handler<RunFailed>(harness.KeepAsync);
                    endpoint.Handler<RunEvaluated>(harness.KeepAsync);
                    endpoint.Handler<RunPredicted>(harness.KeepAsync);
                    endpoint.Handler<RunCompared>(harness.KeepAsync);
                }
            );
        await observer.Ready.WaitAsync(Patience);
        return harness;
    }

    /// <param name="specification">What is asked for.</param>
    /// <param name="modelRunId">The run that made the model that is to predict, where one is.</param>
    /// <param name="candidates">The bases to compare, where some are.</param>
    public async Task<Guid> SubmitAsync(
        RunSpecification specification,
        Guid? modelRunId = null,
        IReadOnlyList<CandidateBase>? candidates = null
    )
    {
        var run = new Run
        {
            Id = Guid.CreateVersion7(),
            Name = specification.Name,
            Tags = specification.Tags,
            Submitter = specification.Submitter,
            Specification = ContractJson.Write(specification),
            Model = specification.Model,
            ModelRunId = modelRunId,
            Candidates = candidates is null ? null : CandidateBase.Write(candidates),
            SubmittedAt = DateTime.UtcNow,
        };
        await Services.GetRequiredService<RunRegister>().SubmitAsync(run, AuditActor.Loopback, CancellationToken.None);
        await SendAsync(run.Id);
        return run.Id;
    }

    /// <summary>Sends what a run waits for.</summary>
    public Task SendAsync(Guid runId) =>
        Services.GetRequiredService<JobDispatcher>().SendAsync([JobKey.ScopeOf(runId)], again: false, CancellationToken.None);

    /// <summary>Waits until a run has come to a state, or to its end.</summary>
    public async Task<Run> ReachAsync(Guid runId, RunState state)
    {
        Run? run = null;
        await UntilAsync(async () => (run = await FindAsync(runId)).State >= state);
        Assert.True(run!.State == state, $"The run is {run.State}, not {state}. {run.Failure}");
        return run;
    }

    public async Task<Run> RunAsync(RunSpecification specification, RunState until) =>
        await ReachAsync(await SubmitAsync(specification), until);

    /// <summary>Runs something that must fail.</summary>
    /// <returns>The reason, which is also the one that was published.</returns>
    public async Task<string> FailAsync(RunSpecification specification)
    {
        var run = await RunAsync(specification, RunState.Failed);
        await UntilAsync(() => Task.FromResult(Events.OfType<RunFailed>().Any(failed => failed.RunId == run.Id)));
        Assert.Equal(run.Failure, Events.OfType<RunFailed>().First(failed => failed.RunId == run.Id).Reason);
        return run.Failure!;
    }

    public Task<Run> FindAsync(Guid runId) => QueryAsync(context => context.Runs.AsNoTracking().SingleAsync(run => run.Id == runId));

    public async Task<T> QueryAsync<T>(Func<CatalogContext, Task<T>> query)
    {
        await using var context = await Services.GetRequiredService<IDbContextFactory<CatalogContext>>().CreateDbContextAsync();
        return await query(context);
    }

    /// <summary>How often jobs of a kind were started.</summary>
    public Task<int> CountStartsAsync(string kind) =>
        QueryAsync(context => context.Attempts.CountAsync(attempt => context.Jobs.Any(job => job.Id == attempt.JobId && job.Kind == kind)));

    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), patience.Token);
        }
    }

    /// <summary>The full path of something in the directory that runs may read.</summary>
    public string Data(string path) => Path.Combine(Root, "data", path);

    /// <summary>Writes class folders of small pictures, every one different; those of a class have a colour in common.</summary>
    /// <returns>The folder.</returns>
    public string WritePictures(string folder, int classes = 2, int imagesAClass = 6)
    {
        for (var label = 0; label < classes; label++)
        {
            for (var image = 0; image < imagesAClass; image++)
            {
                WriteFile($"{folder}/class{label}/{image:D3}.png", Picture(label, image));
            }
        }

        return Data(folder);
    }

    public string WriteFile(string path, byte[] content)
    {
        var full = Data(path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllBytes(full, content);
        return full;
    }

    public static byte[] Picture(int label, int image)
    {
        const int Side = 20;
        var random = new Random((label * 1000) + image);
        var pixels = new byte[Side * Side * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = (byte)(random.Next(60) + (i % 3 == label % 3 ? 150 : 20));
        }

        return PngEncoder.Encode(pixels, Side, Side);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        if (_host is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }

        Directory.Delete(Root, recursive: true);
    }

    private Task KeepAsync<T>(ConsumeContext<T> context)
        where T : class
    {
        Events.Enqueue(context.Message);
        return Task.CompletedTask;
    }

    /// <summary>
    /// Pauses pass in a hundredth of their time: what is tried again is tried again at once. Limits, which are longer than any pause, stay what they are:
    /// on a busy machine a slice of a download or the sending of a message may take longer than a hundredth of its limit, and would be done again.
    /// </summary>
    private sealed class HurriedTime : TimeProvider
    {
        private static readonly TimeSpan ShortestLimit = TimeSpan.FromSeconds(10);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, dueTime > TimeSpan.Zero && dueTime < ShortestLimit ? dueTime / 100 : dueTime, period);
    }
}
