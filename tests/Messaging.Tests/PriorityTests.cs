using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.TestServers;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Messaging.Tests;

/// <summary>Interactive and bulk runs on a real broker.</summary>
public sealed class PriorityTests : IAsyncLifetime
{
    private readonly CatalogFile _catalog = new();
    private RabbitMqVirtualHost? _broker;

    public async ValueTask InitializeAsync() => _broker = await RabbitMqVirtualHost.CreateAsync();

    public async ValueTask DisposeAsync()
    {
        await _broker!.DisposeAsync();
        _catalog.Dispose();
    }

    [Fact]
    public async Task An_interactive_run_is_done_before_bulk_runs_that_were_there_first_one_job_at_a_time()
    {
        await using var host = await TestHost.StartAsync(
            _catalog.ConnectionString,
            _broker!.Uri.ToString(),
            set => TestHost.Training(set).AddJobs<ScriptedExtraction, ExtractFeatures>()
        );
        var bulk = new List<JobKey>();
        for (var run = 0; run < 6; run++)
        {
            bulk.Add((await host.PlanTrainingAsync(priority: RunPriority.Bulk)).Job);
        }

        var (interactiveRun, interactive) = await host.PlanTrainingAsync();
        const int Slices = 5;
        var (running, most, begun) = (0, 0, new TaskCompletionSource());
        var sent = new TaskCompletionSource();
        host.Script.Execute = async (lease, token) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            begun.TrySetResult();
            await sent.Task.WaitAsync(Wait.Limit, token);
            Interlocked.Decrement(ref running);
            return Script.Write(
                (context, _) =>
                {
                    if (lease.Job.Scope == interactive.Scope && lease.Job.Step < Slices - 1)
                    {
                        context.PlanJobs(
                            nameof(TrainHead),
                            interactive.Scope,
                            [lease.Job.Step + 1],
                            interactiveRun.TraceParent,
                            DateTime.UtcNow
                        );
                    }

                    return Task.CompletedTask;
                }
            );
        };
        foreach (var job in bulk)
        {
            await host.SendAsync(job);
        }

        await begun.Task.WaitAsync(Wait.Limit);
        await host.SendAsync(interactive);
        sent.SetResult();

        foreach (var job in bulk)
        {
            await host.UntilAsync(job, JobState.Done);
        }

        // The bulk job that was begun before is all that went before; every slice of the interactive run followed.
        var order = host.Script.Executions.Select(lease => lease.Job.Scope).ToList();
        Assert.Equal(bulk.Count + Slices, order.Count);
        Assert.All(order.GetRange(1, Slices), scope => Assert.Equal(interactive.Scope, scope));
        Assert.Equal(1, most);
        foreach (var job in bulk)
        {
            Assert.Equal(1, (await host.ReadAsync(job)).Attempts);
        }
    }

    [Fact]
    public async Task A_bulk_job_that_is_not_begun_in_time_is_put_back_uncharged_and_done_later()
    {
        await using var host = await TestHost.StartAsync(
            _catalog.ConnectionString,
            _broker!.Uri.ToString(),
            set => TestHost.Training(set),
            services =>
                services.AddSingleton(
                    new JobOptions { Heartbeat = TimeSpan.FromMilliseconds(50), BulkTimeout = TimeSpan.FromMilliseconds(100) }
                )
        );
        var (_, interactive) = await host.PlanTrainingAsync();
        var (_, bulk) = await host.PlanTrainingAsync(priority: RunPriority.Bulk);
        var end = new TaskCompletionSource();
        host.Script.Execute = async (lease, token) =>
        {
            if (lease.Job == interactive)
            {
                await end.Task.WaitAsync(Wait.Limit, token);
            }

            return JobWrite.Nothing;
        };
        await host.SendAsync(interactive);
        await Wait.UntilAsync(() => host.Script.Executions.Count == 1, "the interactive job has begun");
        await host.SendAsync(bulk);

        await Wait.UntilAsync(() => host.Messages.Sent.Count >= 4, "the bulk job was put back twice");
        var row = await host.ReadAsync(bulk);
        Assert.Equal((JobState.Pending, 0), (row.State, row.Attempts));
        end.SetResult();

        await host.UntilAsync(bulk, JobState.Done);
        Assert.Equal(2, host.Script.Executions.Count);
    }
}
