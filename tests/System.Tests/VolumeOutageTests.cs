using System.Net;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>The volume is full, read-only or gone under a run: it waits, says why, and completes with the result of an undisturbed one.</summary>
public sealed class VolumeOutageTests
{
    [Theory]
    [InlineData("full", "ExtractFeatures", "No space left on device")]
    [InlineData("full", "TrainHead", "No space left on device")]
    [InlineData("read-only", "ExtractFeatures", "Read-only file system")]
    [InlineData("unmounted", "TrainHead", "is not mounted")]
    public async Task A_run_waits_with_the_cause_by_name_and_then_completes_as_if_nothing_had_been(string outage, string kind, string cause)
    {
        using var mount = await TemporaryMount.TryCreateAsync();
        Assert.SkipUnless(
            mount is not null,
            "This user may not mount a file system: run the tests as root, with the right to mount, to see what a full volume does."
        );
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings, volume: mount.Path);
        var runId = await cluster.SubmitAsync(SampleRun.Specification);
        await cluster.WaitAsync(
            $"a job of {kind} to be done",
            () => cluster.QueryAsync<long>($"select count(*) from jobs where kind = '{kind}' and state = 'Done'"),
            count => count > 0
        );
        await using (await mount.BreakAsync(outage))
        {
            var run = await cluster.WaitAsync(
                "the run to tell what it waits for",
                () => cluster.GetAsync($"/api/v1/runs/{runId}"),
                run => run.TryGetProperty("waiting", out var waiting) && waiting.ValueKind == JsonValueKind.String
            );
            Assert.Contains(cause, run.GetProperty("waiting").GetString());
            var health = await cluster.WaitAsync(
                "the trainer to be unready",
                () => cluster.HealthAsync("Training", "ready"),
                health => health.Status == HttpStatusCode.ServiceUnavailable
            );
            Assert.Contains(cause, health.Body);
            Assert.Equal(HttpStatusCode.OK, (await cluster.HealthAsync("Training", "live")).Status);
        }

        await cluster.WaitAsync(
            "the trainer to be ready",
            () => cluster.HealthAsync("Training", "ready"),
            health => health.Status == HttpStatusCode.OK
        );

        Assert.Equal(await SampleRun.Undisturbed.Value, await SampleResult.WaitAsync(cluster, runId));
        Assert.Empty(Directory.EnumerateFiles(mount.Path, "*.partial", SearchOption.AllDirectories));
    }
}
