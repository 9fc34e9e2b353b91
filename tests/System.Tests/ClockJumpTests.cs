using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>
/// The database's clock is set under a run. To all that is measured by it that is the same as if every time in the catalog had been
/// moved the other way, which is what is done here: the clock itself belongs to the whole machine.
/// </summary>
public sealed class ClockJumpTests
{
    [Theory]
    [InlineData("- interval '1 hour'")]
    [InlineData("+ interval '1 hour'")]
    public async Task A_run_under_which_the_clock_is_set_and_a_trainer_killed_comes_to_the_same_result(string moved)
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        var runId = await cluster.SubmitAsync(SampleRun.Specification);
        await cluster.WaitAsync(
            "a shard to be done, and another to run",
            () =>
                cluster.QueryAsync<long>(
                    "select count(distinct state) from jobs where kind = 'ExtractFeatures' and state in ('Done', 'Running')"
                ),
            count => count == 2
        );

        await cluster.KillAsync("Training");
        await cluster.QueryAsync<long>(
            $"with moved as (update jobs set lease_until = lease_until {moved}, dispatched_at = dispatched_at {moved} returning 1) select count(*) from moved"
        );
        cluster.Start("Training");

        Assert.Equal(await SampleRun.Undisturbed.Value, await SampleResult.WaitAsync(cluster, runId));
    }
}
