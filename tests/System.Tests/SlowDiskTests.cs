using System.Diagnostics;
using System.Net;
using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class SlowDiskTests
{
    private static readonly TimeSpan Flush = TimeSpan.FromSeconds(6);

    [Fact]
    public async Task A_run_on_a_disk_that_flushes_for_longer_than_a_lease_keeps_its_jobs_and_comes_to_the_same_result()
    {
        var settings = new Dictionary<string, string?>(SampleRun.Settings)
        {
            ["Training__ShardImages"] = "512",
            ["Jobs__Lease"] = "00:00:03",
            ["Jobs__Heartbeat"] = "00:00:00.500",
        };
        var specification = new { precision = "fp32" };
        await using var cluster = await Cluster.StartAsync(settings);
        // Features of the first shard stand for all that is written: a flush takes as long as it would for a checkpoint.
        var disk = await SlowDisk.TryStartAsync(cluster.Host("Training"), Flush);
        Assert.SkipUnless(disk is not null, "Disks are made slow with strace: install it, or run ./test.sh as root.");
        var runId = await cluster.SubmitAsync(specification);
        await cluster.WaitAsync(
            "a shard to be computed",
            () => cluster.QueryAsync<long>("select count(*) from jobs where kind = 'ExtractFeatures' and state = 'Running'"),
            count => count > 0
        );

        var health = await cluster.HealthAsync("Training", "ready");
        var asked = Stopwatch.GetTimestamp();
        Assert.Equal(HttpStatusCode.OK, (await cluster.HealthAsync("Training", "live")).Status);
        Assert.InRange(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero, Flush / 2);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.Status);
        Assert.Contains("has not answered", health.Body, StringComparison.Ordinal);
        await cluster.WaitAsync(
            "a shard to be stored",
            () => cluster.QueryAsync<long>("select count(*) from jobs where kind = 'ExtractFeatures' and state = 'Done'"),
            count => count > 0
        );
        // The splits and the shard at least.
        Assert.InRange(disk.Flushes, 2, int.MaxValue);
        await disk.DisposeAsync();
        var run = await cluster.WaitForCompletionAsync(runId);

        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from attempts where outcome is distinct from 'Done'"));
        Assert.Equal(0, await cluster.QueryAsync<long>("select (select count(*) from attempts) - (select count(*) from jobs)"));
        await using var undisturbed = await Cluster.StartAsync(settings);
        var twin = await undisturbed.WaitForCompletionAsync(await undisturbed.SubmitAsync(specification));
        Assert.Equal(twin.GetProperty("headSha256").GetString(), run.GetProperty("headSha256").GetString());
    }
}
