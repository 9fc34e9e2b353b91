using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;
using Distributed.TestServers;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging.Tests;

/// <summary>Hosts on a real broker, in a virtual host of each test's own.</summary>
public sealed class RabbitMqTests : IAsyncLifetime
{
    private static readonly string[] Queues =
    [
        "compare-backbones",
        "compare-backbones-bulk",
        "complete-dataset",
        "complete-dataset-bulk",
        "plan-features",
        "plan-features-bulk",
        "download-file",
        "download-file-bulk",
        "extract-features",
        "extract-features-bulk",
        "evaluate-head",
        "evaluate-head-bulk",
        "ingest-dataset",
        "ingest-dataset-bulk",
        "pack-images",
        "pack-images-bulk",
        "submit-run",
        "predict-dataset",
        "predict-dataset-bulk",
        "train-head",
        "train-head-bulk",
    ];

    private readonly CatalogFile _catalog = new();
    private readonly HttpClient _management = RabbitMqVirtualHost.ManagementClient();
    private RabbitMqVirtualHost? _broker;

    public async ValueTask InitializeAsync() => _broker = await RabbitMqVirtualHost.CreateAsync();

    public async ValueTask DisposeAsync()
    {
        await _broker!.DisposeAsync();
        _management.Dispose();
        _catalog.Dispose();
    }

    private static readonly string[] Requests = ["export-model", "map-features", "predict-images"];

    [Fact]
    public async Task A_host_without_consumers_declares_every_queue_of_jobs_as_a_quorum_queue_with_a_dead_letter_queue_and_that_of_requests_as_one_that_refuses()
    {
        await using var host = await StartAsync();

        var declared = (await _management.GetFromJsonAsync<JsonElement>($"api/queues/{_broker!.Name}")).EnumerateArray().ToList();

        Assert.Equal(
            Queues.SelectMany(queue => (string[])[queue, $"{queue}-dead-letter"]).Concat(Requests).Order(StringComparer.Ordinal),
            declared.Select(queue => queue.GetProperty("name").GetString()!).Order(StringComparer.Ordinal)
        );
        Assert.All(
            declared,
            queue =>
            {
                var isRequests = Requests.Contains(queue.GetProperty("name").GetString());
                Assert.Equal(isRequests ? "classic" : "quorum", queue.GetProperty("type").GetString());
                Assert.True(queue.GetProperty("durable").GetBoolean());
                Assert.Equal(isRequests, queue.GetProperty("arguments").TryGetProperty("x-overflow", out _));
            }
        );
        Assert.All(
            declared.Where(queue => Queues.Contains(queue.GetProperty("name").GetString())),
            queue => Assert.Equal(20, queue.GetProperty("arguments").GetProperty("x-delivery-limit").GetInt32())
        );
    }

    [Theory]
    [InlineData(300)]
    [InlineData(1000)]
    [InlineData(2000)]
    public async Task A_host_whose_connection_breaks_while_it_declares_queues_begins_anew(int bytes)
    {
        using var proxy = new BreakingProxy(_broker!.Uri, connections: 3, bytes);

        await using var host = await TestHost.StartAsync(_catalog.ConnectionString, proxy.Uri.ToString());

        // The bus has a connection too, which may not come to say so much.
        Assert.InRange(proxy.Broken, 2, 3);
        Assert.False(host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
    }

    [Fact]
    public async Task A_message_that_is_refused_is_put_aside_in_the_dead_letter_queue()
    {
        await using var host = await StartAsync();
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await PublishAsync(channel, "train-head", "poison");

        await Wait.UntilAsync(
            async () =>
            {
                if (await channel.BasicGetAsync("train-head", autoAck: false) is not { } message)
                {
                    return false;
                }

                await channel.BasicRejectAsync(message.DeliveryTag, requeue: false);
                return true;
            },
            "the message can be refused"
        );

        await Wait.UntilAsync(async () => await channel.MessageCountAsync("train-head-dead-letter") == 1, "the message is put aside");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Hosts_with_and_without_consumers_start_in_any_order_and_work(bool consumersFirst)
    {
        Task<TestHost> StartWithConsumersAsync() =>
            StartAsync(set => TestHost.Training(set).AddJobs<ScriptedExtraction, ExtractFeatures>().AddSubmissions<Submissions>());
        await using var first = consumersFirst ? await StartWithConsumersAsync() : await StartAsync();
        await using var second = consumersFirst ? await StartAsync() : await StartWithConsumersAsync();
        var (consuming, sending) = consumersFirst ? (first, second) : (second, first);
        var (_, job) = await sending.PlanTrainingAsync();

        await sending.SendAsync(job);

        await sending.UntilAsync(job, JobState.Done);
        Assert.Single(consuming.Script.Executions);
        await UntilAcknowledgedAsync(consuming, 1);
        await consuming.StopAsync();
        Assert.Equal(0, await CountReadyAsync("train-head"));
    }

    [Fact]
    public async Task What_a_worker_did_not_send_before_it_died_is_sent_by_whoever_gets_its_message()
    {
        await using var host = await StartAsync(set => TestHost.Training(set));
        var (run, job) = await host.PlanTrainingAsync();
        var next = job with { Step = 1 };
        host.Script.Execute = (lease, _) =>
            Task.FromResult(
                Script.Write(
                    (context, _) =>
                    {
                        if (lease.Job == job)
                        {
                            context.PlanJobs(job.Kind, job.Scope, [1], run.TraceParent, DateTime.UtcNow);
                        }

                        return Task.CompletedTask;
                    }
                )
            );
        var marked = new TaskCompletionSource();
        var dead = new TaskCompletionSource<IReadOnlyList<string>>();
        host.Script.FollowUp = async key =>
        {
            // Committed, marked as sent, and no further.
            Assert.Single(await host.Outbox.ClaimForDispatchAsync(key.Scope, again: false, CancellationToken.None));
            marked.SetResult();
            return await dead.Task;
        };
        await host.SendAsync(job);
        await marked.Task.WaitAsync(Wait.Limit);

        await CloseConnectionsAsync();
        await using var other = await StartAsync(set => TestHost.Training(set));

        await other.UntilAsync(next, JobState.Done);
        Assert.Equal([next], other.Script.Executions.Select(lease => lease.Job));
        dead.SetResult([]);
    }

    [Fact]
    public async Task A_message_of_a_job_waits_on_disk_until_somebody_takes_it()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();

        await host.SendAsync(job);

        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await Wait.UntilAsync(async () => await channel.MessageCountAsync("train-head") == 1, "the message is there");
        var message = await channel.BasicGetAsync("train-head", autoAck: true);
        Assert.Equal(DeliveryModes.Persistent, message!.BasicProperties.DeliveryMode);
        Assert.Contains(job.Scope, Encoding.UTF8.GetString(message.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_that_no_queue_takes_is_an_error()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        using (var deleted = await _management.DeleteAsync($"api/queues/{_broker!.Name}/train-head"))
        {
            deleted.EnsureSuccessStatusCode();
        }

        var error = await Record.ExceptionAsync(() => host.SendAsync(job).WaitAsync(Wait.Limit));

        Assert.IsType<MessageReturnedException>(error);
    }

    [Fact]
    public async Task A_run_can_be_submitted_as_plain_json_without_any_properties()
    {
        await using var host = await StartAsync(set => set.AddSubmissions<Submissions>(), services => services.AddSingleton<Submitted>());
        var id = Guid.NewGuid();
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();

        await PublishAsync(channel, "submit-run", $$$"""{"runId":"{{{id}}}","specification":{"epochs":3}}""");

        var submitted = host.Services.GetRequiredService<Submitted>();
        await Wait.UntilAsync(() => !submitted.Runs.IsEmpty, "the submission is consumed");
        var run = Assert.Single(submitted.Runs);
        Assert.Equal(id, run.RunId);
        Assert.Equal(3, run.Specification.GetProperty("epochs").GetInt32());
        await UntilAcknowledgedAsync(host, 1);
        await host.StopAsync();
        Assert.Equal(0, await CountReadyAsync("submit-run"));
    }

    [Fact]
    public async Task What_is_not_json_is_put_aside_and_the_next_submission_is_heard()
    {
        await using var host = await StartAsync(set => set.AddSubmissions<Submissions>(), services => services.AddSingleton<Submitted>());
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();

        await PublishAsync(channel, "submit-run", "epochs: 3");
        await PublishAsync(channel, "submit-run", $$$"""{"runId":"{{{Guid.NewGuid()}}}","specification":{}}""");

        var submitted = host.Services.GetRequiredService<Submitted>();
        await Wait.UntilAsync(() => submitted.Runs.Count == 1, "the second submission is consumed");
        await Wait.UntilAsync(async () => await CountReadyAsync("submit-run_error") == 1, "the first one is put aside");
        await UntilAcknowledgedAsync(host, 2);
        await host.StopAsync();
        Assert.Equal(0, await CountReadyAsync("submit-run"));
    }

    [Fact]
    public async Task The_end_of_a_run_can_be_subscribed_to()
    {
        await using var host = await StartAsync(
            set => TestHost.Training(set),
            services => services.AddSingleton(new PermanentError(typeof(FormatException)))
        );
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.ExchangeDeclareAsync("Distributed.Contracts:RunFailed", ExchangeType.Fanout, durable: true);
        var queue = (await channel.QueueDeclareAsync()).QueueName;
        await channel.QueueBindAsync(queue, "Distributed.Contracts:RunFailed", "");
        var (run, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (_, _) => throw new FormatException("No images.");

        await host.SendAsync(job);

        await Wait.UntilAsync(async () => await channel.MessageCountAsync(queue) == 1, "the failure is published");
        var body = JsonDocument.Parse((await channel.BasicGetAsync(queue, autoAck: true))!.Body).RootElement.GetProperty("message");
        Assert.Equal(run.Id, body.GetProperty("runId").GetGuid());
        Assert.Equal("No images.", body.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_job_is_worked_on_in_the_trace_of_its_run()
    {
        const string trace = "0af7651916cd43dd8448eb211c80319c";
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is JobTelemetry.SourceName or MessagingRegistration.BusSourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);
        await using var host = await StartAsync(set => TestHost.Training(set));
        var (_, job) = await host.PlanTrainingAsync($"00-{trace}-b7ad6b7169203331-01");
        ActivityTraceId? seen = null;
        host.Script.Execute = (_, _) =>
        {
            seen = Activity.Current?.TraceId;
            return Task.FromResult(JobWrite.Nothing);
        };

        // The watchdog and other runs' workers send from traces of their own.
        using (var other = new Activity("another trace").Start())
        {
            await host.SendAsync(job);
        }

        await host.UntilAsync(job, JobState.Done);
        Assert.Equal(trace, seen.ToString());
    }

    [Fact]
    public async Task The_watchdog_sends_again_what_the_broker_lost()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await host.AgeAsync(job);
        await host.Watchdog.ScanAsync(CancellationToken.None);
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        Assert.Equal(1u, await channel.QueuePurgeAsync("train-head"));
        await host.AgeAsync(job);

        await host.Watchdog.ScanAsync(CancellationToken.None);

        await Wait.UntilAsync(async () => await channel.MessageCountAsync("train-head") == 1, "the message is there again");
    }

    [Fact]
    public async Task A_message_that_a_stopping_host_could_not_begin_stays_in_its_queue()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using (var waiting = await StartAsync(set => TestHost.Training(set), catalog: database.ConnectionString))
        {
            // Another job has the turn: it takes the message and waits.
            using var turn = await waiting
                .Services.GetRequiredService<PriorityLimiter>()
                .EnterAsync(RunStages.Tensors, RunPriority.Interactive, Timeout.InfiniteTimeSpan, CancellationToken.None);
            var (_, job) = await waiting.PlanTrainingAsync();
            await waiting.SendAsync(job);
            await Wait.UntilAsync(
                async () => waiting.Messages.Sent.Count == 1 && await CountReadyAsync("train-head") == 0,
                "the message is taken"
            );
            await waiting.StopAsync();
        }

        await Wait.UntilAsync(async () => await CountReadyAsync("train-head") == 1, "the message waits again");
        Assert.Null(await CountReadyAsync("train-head_error"));
        await using var next = await StartAsync(set => TestHost.Training(set), catalog: database.ConnectionString);
        await Wait.UntilAsync(() => next.Script.FollowUps.Count == 1, "the next host has done the job");
    }

    [Fact]
    public async Task A_host_whose_database_is_away_takes_no_message()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var sender = await StartAsync(catalog: database.ConnectionString);
        var away = $"Host=127.0.0.1;Port={FreePort.Next()};Username=a;Password=a;Database=a";
        await using var waiting = await StartAsync(set => TestHost.Training(set), catalog: away, awaitCatalog: false, awaitBus: false);
        await using var healthy = await StartAsync(set => TestHost.Training(set), catalog: database.ConnectionString);

        var (_, job) = await sender.PlanTrainingAsync();
        await sender.SendAsync(job);

        await sender.UntilAsync(job, JobState.Done);
        Assert.False(waiting.Services.GetRequiredService<BusGate>().Open.IsCompleted);
    }

    [Fact]
    public async Task A_job_whose_worker_lost_its_connection_is_done_once()
    {
        await using var host = await StartAsync(set => TestHost.Training(set));
        var (run, job) = await host.PlanTrainingAsync();
        host.Script.Execute = async (lease, token) =>
        {
            if (host.Script.Executions.Count == 1)
            {
                // Works on until it learns that its message was given out again.
                await Task.Delay(Timeout.Infinite, token);
            }

            return Script.Write(
                (context, _) =>
                {
                    context.EpochMetrics.Add(
                        new EpochMetric
                        {
                            RunId = run.Id,
                            Trial = 0,
                            Epoch = 1,
                            TrainLoss = 1,
                            TrainAccuracy = 1,
                            LearningRate = 1,
                        }
                    );
                    return Task.CompletedTask;
                }
            );
        };
        await host.SendAsync(job);
        await Wait.UntilAsync(() => host.Script.Executions.Count == 1, "work has begun");

        await CloseConnectionsAsync();

        await host.UntilAsync(job, JobState.Done);
        Assert.Equal(2, host.Script.Executions.Count);
        Assert.Equal(1, await host.CountEpochsAsync(run.Id));
    }

    private Task<TestHost> StartAsync(
        Action<ConsumerSet>? consumers = null,
        Action<IServiceCollection>? configure = null,
        string? catalog = null,
        bool awaitCatalog = true,
        bool awaitBus = true
    ) => TestHost.StartAsync(catalog ?? _catalog.ConnectionString, _broker!.Uri.ToString(), consumers, configure, awaitCatalog, awaitBus);

    private Task<IConnection> ConnectAsync() => new ConnectionFactory { Uri = _broker!.Uri }.CreateConnectionAsync();

    private static async Task PublishAsync(IChannel channel, string exchange, string body) =>
        await channel.BasicPublishAsync(exchange, routingKey: "", mandatory: true, Encoding.UTF8.GetBytes(body));

    /// <summary>Messages that wait, as the queue itself says; null when there is no such queue. A message that nobody acknowledged waits again when its host has stopped.</summary>
    private async Task<int?> CountReadyAsync(string queue)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        try
        {
            return (int)await channel.MessageCountAsync(queue);
        }
        catch (OperationInterruptedException)
        {
            return null;
        }
    }

    private static Task UntilAcknowledgedAsync(TestHost host, int messages) =>
        Wait.UntilAsync(() => host.Messages.Acknowledged == messages, $"{messages} messages are acknowledged");

    private async Task CloseConnectionsAsync()
    {
        async Task<List<string>> ConnectionsAsync() =>
            [
                .. (await _management.GetFromJsonAsync<JsonElement>($"api/vhosts/{_broker!.Name}/connections"))
                    .EnumerateArray()
                    .Select(connection => connection.GetProperty("name").GetString()!),
            ];
        await Wait.UntilAsync(async () => (await ConnectionsAsync()).Count > 0, "the broker lists the connection");
        foreach (var name in await ConnectionsAsync())
        {
            using var closed = await _management.DeleteAsync($"api/connections/{Uri.EscapeDataString(name)}");
        }
    }

    internal sealed class Submitted
    {
        public ConcurrentQueue<SubmitRun> Runs { get; } = [];
    }

    internal sealed class Submissions(IServiceProvider services) : IConsumer<SubmitRun>
    {
        public Task Consume(ConsumeContext<SubmitRun> context)
        {
            services.GetService<Submitted>()?.Runs.Enqueue(context.Message);
            return Task.CompletedTask;
        }
    }
}
