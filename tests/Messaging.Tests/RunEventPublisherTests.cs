using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Messaging.Tests;

public sealed class RunEventPublisherTests : IDisposable
{
    private readonly CatalogFile _catalog = new();

    public void Dispose() => _catalog.Dispose();

    [Fact]
    public async Task Every_end_of_a_run_is_announced_once_and_open_runs_are_not()
    {
        await using var host = await TestHost.StartAsync(_catalog.ConnectionString);
        var (completed, _) = await host.PlanTrainingAsync();
        var (failed, job) = await host.PlanTrainingAsync();
        var (cancelled, _) = await host.PlanTrainingAsync();
        await host.PlanTrainingAsync();
        await CompleteAsync(host, completed);
        await host.Store.FailRunsAsync(job.Scope, new JobFailure(FailureCause.Internal, "The disk is full."), CancellationToken.None);
        await host.Control.CancelAsync(cancelled.Id, AuditActor.Loopback, CancellationToken.None);

        await host.Publisher.PublishAsync(CancellationToken.None);
        await host.Publisher.PublishAsync(CancellationToken.None);

        Assert.Equal(3, host.Messages.Published.Count);
        Assert.Contains(new RunEvaluated(completed.Id, "test", 0.9, 0.88, 0.92, 8000, "runs/x/report.html"), host.Messages.Published);
        Assert.Contains(new RunFailed(failed.Id, "test", "The disk is full."), host.Messages.Published);
        Assert.Contains(new RunCancelled(cancelled.Id, "test"), host.Messages.Published);
    }

    [Fact]
    public async Task The_end_of_a_run_is_counted_once_with_its_outcome_and_its_cause()
    {
        await using var host = await TestHost.StartAsync(_catalog.ConnectionString);
        var (_, job) = await host.PlanTrainingAsync();
        await host.Store.FailRunsAsync(
            job.Scope,
            new JobFailure(FailureCause.DamagedFile, "The report is damaged."),
            CancellationToken.None
        );
        var counted = new ConcurrentQueue<string>();
        using var listener = new MeterListener();
        // Tests of other classes run beside this one, and their runs end otherwise.
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Note(instrument, 1, tags));
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name is "distributed.run.failures" or "distributed.run.duration")
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.Start();

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => host.Publisher.PublishAsync(CancellationToken.None)));

        Assert.Single(counted, line => line == "distributed.run.failures 1 damaged_file");
        Assert.Contains("distributed.run.duration 1 failed", counted);

        void Note(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            counted.Enqueue($"{instrument.Name} {value} {tags[0].Value}");
    }

    [Fact]
    public async Task What_could_not_be_published_is_announced_the_next_time()
    {
        await using var host = await TestHost.StartAsync(_catalog.ConnectionString);
        var (run, _) = await host.PlanTrainingAsync();
        await host.Control.CancelAsync(run.Id, AuditActor.Loopback, CancellationToken.None);
        host.Messages.PublishError = new InvalidOperationException("The broker is away.");
        await Assert.ThrowsAsync<InvalidOperationException>(() => host.Publisher.PublishAsync(CancellationToken.None));
        Assert.Null((await host.ReadAsync(run)).EndPublishedAt);
        host.Messages.PublishError = null;

        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Equal([new RunCancelled(run.Id, "test")], host.Messages.Published);
        Assert.NotNull((await host.ReadAsync(run)).EndPublishedAt);
    }

    private static async Task CompleteAsync(TestHost host, Run run)
    {
        await using var context = await host.Contexts.CreateDbContextAsync();
        Assert.True(await context.MoveRunAsync(run.Id, RunState.Training, RunState.Completed, DateTime.UtcNow, CancellationToken.None));
        context.Evaluations.Add(
            new Evaluation
            {
                RunId = run.Id,
                DatasetSha256 = "d",
                Trial = 0,
                TestImages = 8000,
                TestAccuracy = 0.9,
                TestAccuracyLow = 0.88,
                TestAccuracyHigh = 0.92,
                TestLoss = 0.3,
                TopK = 5,
                TopKAccuracy = 0.99,
                MacroF1 = 0.9,
                ConfusionMatrix = "[]",
                Temperature = 1,
                CalibrationError = 0,
                UncalibratedError = 0,
                Reliability = "[]",
                LeakedTestImages = 0,
                UnleakedAccuracy = null,
                UnleakedAccuracyLow = null,
                UnleakedAccuracyHigh = null,
                AuditKey = "audit",
                Predictions = new StoredFile("runs/predictions.json", 1, "00"),
                HeadSha256 = "h",
                Report = new StoredFile("runs/x/report.html", 1, "r"),
                CreatedAt = DateTime.UtcNow,
            }
        );
        await context.SaveChangesAsync();
    }
}
