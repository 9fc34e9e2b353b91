using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using RabbitMQ.Client;

namespace Distributed.Messaging.Tests;

/// <summary>What a real broker has put aside.</summary>
public sealed class DeadLetterTests : IAsyncLifetime
{
    private readonly CatalogFile _catalog = new();
    private RabbitMqVirtualHost? _broker;
    private IConnection? _connection;
    private IChannel? _channel;

    public async ValueTask InitializeAsync()
    {
        _broker = await RabbitMqVirtualHost.CreateAsync();
        _connection = await new ConnectionFactory { Uri = _broker.Uri }.CreateConnectionAsync();
        _channel = await _connection.CreateChannelAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _channel!.DisposeAsync();
        await _connection!.DisposeAsync();
        await _broker!.DisposeAsync();
        _catalog.Dispose();
    }

    [Theory]
    [InlineData("train-head_error", "could not be handled: System.InvalidOperationException: no luck")]
    [InlineData("train-head_skipped", "no consumer knew")]
    [InlineData("train-head-dead-letter", "delivered 20 times")]
    [InlineData("train-head-bulk-dead-letter", "delivered 20 times")]
    public async Task A_job_whose_message_was_put_aside_is_sent_anew_and_fails_its_run_in_the_end(string queue, string reason)
    {
        await using var host = await StartAsync();
        var (run, job) = await host.PlanTrainingAsync();
        await host.Outbox.ClaimForDispatchAsync(job.Scope, again: false, CancellationToken.None);
        for (var time = 1; time < 5; time++)
        {
            await PutAsideAsync(queue, $$$"""{"messageType":["urn:message:x"],"message":{"scope":"{{{job.Scope}}}","step":0}}""");
            await LookAsync(host);
            Assert.Equal((JobState.Pending, time), ((await host.ReadAsync(job)).State, (await host.ReadAsync(job)).Attempts));
            Assert.Equal(time, host.Messages.Sent.Count);
        }

        await PutAsideAsync(queue, $$$"""{"scope":"{{{job.Scope}}}","step":0}""");
        await LookAsync(host);

        var failed = await host.ReadAsync(run);
        Assert.Equal(RunState.Failed, failed.State);
        Assert.Contains(reason, failed.Failure, StringComparison.Ordinal);
        Assert.Contains(host.Messages.Published, message => message is RunFailed told && told.RunId == run.Id);
        Assert.Equal(0u, await _channel!.MessageCountAsync(queue));
    }

    [Fact]
    public async Task What_is_put_aside_of_jobs_that_do_not_wait_is_dropped()
    {
        await using var host = await StartAsync();
        var (run, job) = await host.PlanTrainingAsync();
        var start = await host.Store.ClaimAsync(job, "worker", redelivered: false, CancellationToken.None);
        await PutAsideAsync("train-head-dead-letter", $$$"""{"scope":"{{{job.Scope}}}","step":0}""");
        await LookAsync(host);
        await host.Store.CommitAsync(start.Lease!, JobWrite.Nothing, CancellationToken.None);
        await PutAsideAsync("train-head-dead-letter", $$$"""{"scope":"{{{job.Scope}}}","step":0}""");
        await PutAsideAsync("train-head-dead-letter", """{"scope":"nobody's","step":7}""");

        await LookAsync(host);

        Assert.Equal((JobState.Done, 1), ((await host.ReadAsync(job)).State, (await host.ReadAsync(job)).Attempts));
        Assert.Equal(RunState.Training, (await host.ReadAsync(run)).State);
        Assert.Empty(host.Messages.Sent);
        Assert.Equal(0u, await _channel!.MessageCountAsync("train-head-dead-letter"));
    }

    [Fact]
    public async Task A_submission_that_could_not_be_handled_is_a_failed_run_that_says_so()
    {
        await using var host = await StartAsync();
        var id = Guid.NewGuid();
        await PutAsideAsync("submit-run_error", $$$"""{"runId":"{{{id}}}","specification":{}}""");

        await LookAsync(host);

        var run = await host.ReadAsync(
            new Run
            {
                Id = id,
                Tags = [],
                Specification = "{}",
                SubmittedAt = default,
            }
        );
        Assert.Equal(RunState.Failed, run.State);
        Assert.Contains("no luck", run.Failure, StringComparison.Ordinal);
        Assert.Contains(host.Messages.Published, message => message is RunFailed told && told.RunId == id);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[1]")]
    [InlineData("""{"scope":7,"step":0}""")]
    [InlineData("""{"scope":"a","step":1e99}""")]
    public async Task What_names_neither_job_nor_run_is_counted_and_kept_for_people(string body)
    {
        var counted = new ConcurrentQueue<string?>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name == "distributed.message.dead_lettered")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>(
            (_, _, tags, _) => counted.Enqueue(string.Join(' ', tags.ToArray().Select(tag => tag.Value)))
        );
        listener.Start();
        await using var host = await StartAsync();
        await PutAsideAsync("extract-features_error", body);

        await LookAsync(host);
        await LookAsync(host);

        Assert.Contains("extract-features_error invalid", counted);
        Assert.Equal(0u, await _channel!.MessageCountAsync("extract-features_error"));
        await using var context = await host.Services.GetRequiredService<IDbContextFactory<CatalogContext>>().CreateDbContextAsync();
        var kept = await context.DeadLetters.SingleAsync();
        Assert.Equal((body, "extract-features"), (Encoding.UTF8.GetString(kept.Body!), kept.Queue));
        Assert.Contains("no luck", kept.Reason, StringComparison.Ordinal);

        // Requeued, it comes back, since nothing about it has changed.
        await host
            .Services.GetRequiredService<IMessageRequeue>()
            .SendAsync(kept.Queue!, kept.Body!, kept.ContentType, CancellationToken.None);
        await Wait.UntilAsync(
            async () =>
                await _channel.BasicGetAsync("extract-features", autoAck: true) is { } again && again.Body.Span.SequenceEqual(kept.Body),
            "the message is in its queue again"
        );
    }

    [Fact]
    public async Task A_newer_field_in_a_jobs_message_is_ignored()
    {
        await using var host = await StartAsync(set => TestHost.Training(set));
        var (_, job) = await host.PlanTrainingAsync();
        await host.Outbox.ClaimForDispatchAsync(job.Scope, again: false, CancellationToken.None);
        var properties = new BasicProperties { ContentType = "application/vnd.masstransit+json" };
        var body =
            $$$$"""{"messageType":["urn:message:Distributed.Contracts:TrainHead"],"message":{"scope":"{{{{job.Scope}}}}","step":0,"newer":{"a":1}},"alsoNewer":true}""";

        await _channel!.BasicPublishAsync("train-head", routingKey: "", mandatory: true, properties, Encoding.UTF8.GetBytes(body));

        await host.UntilAsync(job, JobState.Done);
    }

    private Task<TestHost> StartAsync(Action<ConsumerSet>? consumers = null) =>
        TestHost.StartAsync(_catalog.ConnectionString, _broker!.Uri.ToString(), consumers);

    private static Task LookAsync(TestHost host) =>
        ActivatorUtilities.CreateInstance<DeadLetterProcessor>(host.Services).ScanAsync(CancellationToken.None);

    private async Task PutAsideAsync(string queue, string body)
    {
        await _channel!.QueueDeclareAsync(
            queue,
            durable: true,
            exclusive: false,
            autoDelete: false,
            queue.EndsWith("-dead-letter", StringComparison.Ordinal)
                ? new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }
                : null
        );
        var properties = new BasicProperties
        {
            Persistent = true,
            Headers = new Dictionary<string, object?>
            {
                ["MT-Fault-ExceptionType"] = "System.InvalidOperationException",
                ["MT-Fault-Message"] = "no luck",
            },
        };
        var before = await _channel.MessageCountAsync(queue);
        await _channel.BasicPublishAsync("", queue, mandatory: true, properties, Encoding.UTF8.GetBytes(body));
        await Wait.UntilAsync(async () => await _channel.MessageCountAsync(queue) == before + 1, "the message is put aside");
    }
}
