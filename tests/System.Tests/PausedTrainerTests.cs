using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class PausedTrainerTests
{
    [Theory]
    [InlineData("ExtractFeatures")]
    [InlineData("TrainHead")]
    public async Task A_trainer_frozen_until_its_job_has_gone_elsewhere_has_its_late_writes_refused(string kind)
    {
        await using var cluster = await Cluster.StartAsync(
            new Dictionary<string, string?>(SampleRun.Settings) { ["Jobs__Lease"] = "00:00:03", ["Jobs__Heartbeat"] = "00:00:00.500" }
        );
        var frozen = cluster.Host("Training");
        var runId = await cluster.SubmitAsync(SampleRun.Specification);
        var attempt = await FreezeInAsync();
        cluster.Start("Training", "second trainer");
        await cluster.WaitAsync(
            "the job to be done by the other trainer",
            () =>
                cluster.QueryAsync<long>(
                    $"select count(*) from jobs u join attempts a on a.job_id = u.id where u.attempt <> '{attempt}' and u.state = 'Done' and a.token = '{attempt}'"
                ),
            count => count == 1
        );

        frozen.Continue();

        var result = await SampleResult.WaitAsync(cluster, runId);
        await cluster.WaitAsync(
            "the late trainer to learn that its job is lost",
            () => cluster.QueryAsync<string>($"select coalesce((select outcome from attempts where token = '{attempt}'), '')"),
            outcome => outcome == "Lost"
        );
        Assert.Equal(0, await cluster.QueryAsync<long>($"select count(*) from feature_shards where file_path like '%{attempt:N}%'"));
        Assert.Equal(0, await cluster.QueryAsync<long>($"select count(*) from checkpoints where file_path like '%{attempt:N}%'"));
        Assert.Equal(await SampleRun.Undisturbed.Value, result);

        async Task<Guid> FreezeInAsync()
        {
            while (true)
            {
                var token = await cluster.WaitAsync(
                    $"a job of {kind} to run",
                    () =>
                        cluster.QueryAsync<Guid>(
                            $"select coalesce((select attempt from jobs where kind = '{kind}' and state = 'Running' and step > 0 limit 1), '{Guid.Empty}')"
                        ),
                    token => token != Guid.Empty
                );
                frozen.Pause();
                if (await cluster.QueryAsync<long>($"select count(*) from jobs where attempt = '{token}' and state = 'Running'") == 1)
                {
                    return token;
                }

                // It was committed in the moment before: it goes on, and the next one is tried.
                frozen.Continue();
            }
        }
    }
}
