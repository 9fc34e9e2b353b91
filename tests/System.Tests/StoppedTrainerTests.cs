using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class StoppedTrainerTests
{
    /// <summary>No slice ends by itself before training does: where there are two, the stop made them.</summary>
    private static readonly IReadOnlyDictionary<string, string?> Settings = new Dictionary<string, string?>(SampleRun.Settings) { ["Training__Slice"] = "00:10:00" };

    [Fact]
    public async Task A_trainer_that_is_stopped_in_a_slice_leaves_in_time_and_the_next_goes_on_from_its_checkpoint()
    {
        var undisturbed = await RunAsync(_ => Task.CompletedTask);
        var stopped = await RunAsync(async cluster =>
        {
            await cluster.WaitAsync(
                "a slice to run",
                () => cluster.QueryAsync<long>("select count(*) from work_units where kind = 'TrainHead' and state = 'Running'"),
                running => running > 0);
            Assert.Equal(143, await cluster.TerminateAsync("Training", TimeSpan.FromSeconds(20)));
            cluster.Start("Training");
        });

        Assert.Equal(1, undisturbed.Slices);
        Assert.Equal(2, stopped.Slices);
        Assert.Equal(undisturbed with { Slices = 2 }, stopped);
    }

    private static async Task<Outcome> RunAsync(Func<Cluster, Task> disturb)
    {
        await using var cluster = await Cluster.StartAsync(Settings);
        var runId = await cluster.SubmitAsync(SampleRun.Specification);
        await disturb(cluster);
        var run = await cluster.WaitForCompletionAsync(runId);
        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from attempts where outcome is distinct from 'done'"));
        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from work_units where starts <> 1"));
        return new Outcome(
            await cluster.QueryAsync<long>("select count(*) from work_units where kind = 'TrainHead'"),
            run.GetProperty("headSha256").GetString()!,
            await cluster.QueryAsync<string>("select file_sha256 from checkpoints where kind = 'Last' order by slice desc limit 1"),
            await cluster.QueryAsync<long>("select count(*) from epoch_metrics"));
    }

    private sealed record Outcome(long Slices, string HeadSha256, string LastSha256, long Epochs);
}
