using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class StoppedTrainerTests
{
    /// <summary>No slice ends by itself before training does: where there are two, the stop made them.</summary>
    private static readonly IReadOnlyDictionary<string, string?> Settings = new Dictionary<string, string?>(SampleRun.Settings)
    {
        ["Training__Slice"] = "00:10:00",
    };

    [Fact]
    public async Task A_trainer_that_is_stopped_in_a_slice_leaves_in_time_and_the_next_goes_on_from_its_checkpoint()
    {
        await using var cluster = await Cluster.StartAsync(Settings);
        var runId = await cluster.SubmitAsync(SampleRun.Specification);
        await cluster.WaitAsync(
            "a slice to run",
            () => cluster.QueryAsync<long>("select count(*) from jobs where kind = 'TrainHead' and state = 'Running'"),
            running => running > 0
        );
        Assert.Equal(143, await cluster.TerminateAsync("Training", TimeSpan.FromSeconds(20)));
        cluster.Start("Training");

        Assert.Equal(await SampleRun.Undisturbed.Value, await SampleResult.WaitAsync(cluster, runId));
        Assert.Equal(2, await cluster.QueryAsync<long>("select count(*) from jobs where kind = 'TrainHead'"));
        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from attempts where outcome is distinct from 'Done'"));
        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from jobs where attempts <> 1"));
    }
}
