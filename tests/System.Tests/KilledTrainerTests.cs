using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class KilledTrainerTests
{
    [Fact]
    public async Task A_trainer_killed_in_a_shard_and_in_a_slice_changes_nothing_of_the_result()
    {
        var undisturbed = await RunAsync(_ => Task.CompletedTask);
        var disturbed = await RunAsync(async cluster =>
        {
            await KillWhileRunningAsync(cluster, "ExtractFeatures");
            await KillWhileRunningAsync(cluster, "TrainHead");
        });

        Assert.Equal(undisturbed.Accuracy, disturbed.Accuracy);
        Assert.Equal(undisturbed.HeadSha256, disturbed.HeadSha256);
        Assert.Equal(undisturbed.LastSha256, disturbed.LastSha256);
        Assert.True(undisturbed.Accuracy > 0.3, $"The accuracy {undisturbed.Accuracy} is hardly above chance.");
        Assert.Equal(0, undisturbed.LostAttempts);
        Assert.True(disturbed.LostAttempts >= 2, $"{disturbed.LostAttempts} attempts were cut off.");
    }

    private static async Task<Outcome> RunAsync(Func<Cluster, Task> disturb)
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        var runId = await cluster.SubmitAsync(SampleRun.Specification);
        await disturb(cluster);
        var run = await cluster.WaitForCompletionAsync(runId);
        await AssertCountedOnceAsync(cluster);
        return new Outcome(
            run.GetProperty("summary").GetProperty("testAccuracy").GetDouble(),
            run.GetProperty("headSha256").GetString()!,
            await cluster.QueryAsync<string>("select file_sha256 from checkpoints where kind = 'Last' order by slice desc limit 1"),
            await cluster.QueryAsync<long>("select count(*) from attempts where outcome is null"));
    }

    /// <summary>Kills the trainer while it holds a unit of a kind that has made some progress, and starts another.</summary>
    private static async Task KillWhileRunningAsync(Cluster cluster, string kind)
    {
        while (true)
        {
            var unit = await cluster.WaitAsync(
                $"a unit of {kind} to run",
                () => cluster.QueryAsync<long>($"select coalesce((select max(id) from work_units where kind = '{kind}' and state = 'Running' and exists (select 1 from work_units done where done.kind = '{kind}' and done.state = 'Done')), 0)"),
                id => id > 0);
            await cluster.KillAsync("Training");
            var wasHeld = await cluster.QueryAsync<string>($"select state from work_units where id = {unit}") == "Running";
            cluster.Start("Training");
            if (wasHeld)
            {
                return;
            }

            // It was committed in the moment before the kill: that is a fault too, but not the one to show here.
        }
    }

    private static async Task AssertCountedOnceAsync(Cluster cluster)
    {
        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from work_units where state <> 'Done'"));
        Assert.Equal(
            await cluster.QueryAsync<int>("select shard_count from feature_sets"),
            (int)await cluster.QueryAsync<long>("select count(*) from feature_shards"));
        Assert.Equal(600, await cluster.QueryAsync<long>("select sum(image_count) from feature_shards"));
        Assert.Equal(
            await cluster.QueryAsync<int>("select max(epoch) from epoch_metrics"),
            (int)await cluster.QueryAsync<long>("select count(*) from epoch_metrics"));
        Assert.Equal(1, await cluster.QueryAsync<long>("select count(*) from evaluations"));
        Assert.True(await cluster.QueryAsync<long>("select count(*) from checkpoints where kind = 'Last'") > 3, "Training took too few slices to be cut in one.");
    }

    private sealed record Outcome(double Accuracy, string HeadSha256, string LastSha256, long LostAttempts);
}
