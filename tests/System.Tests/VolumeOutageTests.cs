using System.Net;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>The volume is full, read-only or gone under a run: it waits, says why, and completes with the result of an undisturbed one.</summary>
public sealed class VolumeOutageTests
{
    private static readonly Lazy<Task<(double Accuracy, string Head, long Stages)>> Undisturbed = new(() => RunAsync(mount: null, disturb: null));

    [Theory]
    [InlineData("full", "ExtractFeatures", "No space left on device")]
    [InlineData("full", "TrainHead", "No space left on device")]
    [InlineData("read-only", "ExtractFeatures", "Read-only file system")]
    [InlineData("unmounted", "TrainHead", "is not mounted")]
    public async Task A_run_waits_with_the_cause_by_name_and_then_completes_as_if_nothing_had_been(string outage, string kind, string cause)
    {
        using var mount = await TemporaryMount.TryCreateAsync();
        Assert.SkipUnless(mount is not null, "This user may not mount a file system: run the tests as root, with the right to mount, to see what a full volume does.");
        var disturbed = await RunAsync(mount, async (cluster, runId) =>
        {
            await cluster.WaitAsync(
                $"a unit of {kind} to be done",
                () => cluster.QueryAsync<long>($"select count(*) from work_units where kind = '{kind}' and state = 'Done'"),
                count => count > 0);
            await using (await mount.BreakAsync(outage))
            {
                var run = await cluster.WaitAsync(
                    "the run to tell what it waits for",
                    () => cluster.GetAsync($"/api/v1/runs/{runId}"),
                    run => run.TryGetProperty("waiting", out var waiting) && waiting.ValueKind == JsonValueKind.String);
                Assert.Contains(cause, run.GetProperty("waiting").GetString());
                var health = await cluster.WaitAsync(
                    "the trainer to be unready",
                    () => cluster.HealthAsync("Training", "ready"),
                    health => health.Status == HttpStatusCode.ServiceUnavailable);
                Assert.Contains(cause, health.Body);
                Assert.Equal(HttpStatusCode.OK, (await cluster.HealthAsync("Training", "live")).Status);
            }

            await cluster.WaitAsync("the trainer to be ready", () => cluster.HealthAsync("Training", "ready"), health => health.Status == HttpStatusCode.OK);
        });

        Assert.Equal(await Undisturbed.Value, disturbed);
        Assert.Empty(Directory.EnumerateFiles(mount.Path, "*.partial", SearchOption.AllDirectories));
    }

    private static async Task<(double Accuracy, string Head, long Stages)> RunAsync(TemporaryMount? mount, Func<Cluster, Guid, Task>? disturb)
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings, volume: mount?.Path);
        var runId = await cluster.SubmitAsync(SampleRun.Specification);
        if (disturb is not null)
        {
            await disturb(cluster, runId);
        }

        var run = await cluster.WaitForCompletionAsync(runId);
        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from work_units where state <> 'Done'"));
        return (
            run.GetProperty("summary").GetProperty("testAccuracy").GetDouble(),
            run.GetProperty("headSha256").GetString()!,
            await cluster.QueryAsync<long>("select (select count(*) from feature_shards) + 1000 * (select count(*) from evaluations) + 10000 * (select count(*) from epoch_metrics)"));
    }
}
