namespace Distributed.Compose.Tests;

/// <summary>Containers die, servers are restarted, all is taken down, and everything is lost but a backup: results stay.</summary>
public sealed class HarmTests(Stacks stacks)
{
    [Fact]
    public async Task A_run_of_three_trainers_that_die_in_a_shard_and_in_a_slice_has_the_result_of_an_undisturbed_one()
    {
        Engine.RequireLongForm();
        Engine.RequireRoot("end the process of a container");
        var deployment = await stacks.HarmedAsync();
        await deployment.ShellAsync(Documentation.Line(Documentation.Commands("README.md", "As a system")[0], "--scale training=3"));
        await deployment.WaitForReadyAsync(trainers: 3);

        var runId = await deployment.SubmitAsync(Specifications.Killed);
        var killed = new[]
        {
            await KillWorkerAsync(deployment, runId, "ExtractFeatures"),
            await KillWorkerAsync(deployment, runId, "TrainHead"),
        };
        var outcome = await deployment.OutcomeAsync(runId);

        Assert.Equal(await stacks.KilledOutcome.Value, outcome);
        Assert.Equal(
            "3",
            await deployment.QueryAsync(
                $"""
                select count(distinct split_part(a.worker, '/', 1)) from attempts a join jobs u on u.id = a.job_id
                join runs r on r.id = '{runId}' where u.kind = 'ExtractFeatures' and u.scope = r.feature_set_key
                """
            )
        );
        Assert.Equal("0", await deployment.QueryAsync("select count(*) from jobs where state <> 'Done'"));
        await deployment.WaitForReadyAsync(trainers: 3);
        var trainers = await deployment.ContainersAsync("training");
        Assert.All(killed, id => Assert.True(trainers.Single(trainer => trainer.Id.StartsWith(id, StringComparison.Ordinal)).Restarts > 0));
    }

    [Fact]
    public async Task A_run_goes_on_when_broker_and_database_are_restarted()
    {
        Engine.RequireLongForm();
        var deployment = await stacks.HarmedAsync();

        var runId = await deployment.SubmitAsync(Specifications.Restarted);
        await WaitForWorkAsync(deployment, runId, "ExtractFeatures");
        await deployment.ShellAsync("docker compose restart rabbitmq");
        await deployment.ShellAsync("docker compose restart postgres");
        var restartedAt = DateTime.UtcNow;
        var outcome = await deployment.OutcomeAsync(runId);

        Assert.Equal(await stacks.RestartedOutcome.Value, outcome);
        var run = await deployment.WaitForCompletionAsync(runId);
        Assert.True(
            run.GetProperty("summary").GetProperty("finishedAt").GetDateTime() > restartedAt,
            "The run was over before both were restarted."
        );
        await deployment.WaitForReadyAsync((await deployment.ContainersAsync("training")).Count);
    }

    [Fact]
    public async Task What_is_taken_down_and_up_again_has_kept_everything()
    {
        Engine.RequireLongForm();
        var deployment = await stacks.HarmedAsync();
        var before = await KnownAsync(deployment);

        await deployment.ShellAsync("docker compose down");
        Assert.Empty(await deployment.ContainersAsync());
        await deployment.ShellAsync("docker compose up -d");
        await deployment.WaitForReadyAsync();

        await SameAsync(deployment, before);
    }

    [Fact]
    public async Task A_backup_restored_as_documented_has_everything()
    {
        Engine.RequireLongForm();
        Engine.RequireRoot("make a folder another user's own");
        var deployment = await stacks.HarmedAsync();
        var before = await KnownAsync(deployment);
        var commands = Documentation.Commands("docs/operations.md", "Backup and restore");

        await deployment.ShellAsync(commands[0]);
        await deployment.ShellAsync(commands[1]);
        await deployment.WaitForReadyAsync();

        await SameAsync(deployment, before);
    }

    private static async Task<(Guid RunId, string Report, string Head)> KnownAsync(Deployment deployment)
    {
        var runId = await deployment.SubmitAsync(new { name = "known" });
        var run = await deployment.WaitForCompletionAsync(runId);
        return (
            runId,
            await deployment.Api.GetStringAsync(new Uri($"/api/v1/runs/{runId}/report", UriKind.Relative)),
            run.GetProperty("headSha256").GetString()!
        );
    }

    /// <summary>Runs, reports and keys are there, and features: another run takes them.</summary>
    private static async Task SameAsync(Deployment deployment, (Guid RunId, string Report, string Head) before)
    {
        var run = await deployment.WaitForCompletionAsync(before.RunId);
        Assert.Equal(before.Head, run.GetProperty("headSha256").GetString());
        Assert.Equal(before.Report, await deployment.Api.GetStringAsync(new Uri($"/api/v1/runs/{before.RunId}/report", UriKind.Relative)));
        var next = await deployment.WaitForCompletionAsync(await deployment.SubmitAsync(new { name = "after" }));
        Assert.True(next.GetProperty("featureCacheHit").GetBoolean());
        Assert.Equal(before.Head, next.GetProperty("headSha256").GetString());
    }

    private static Task<string> WaitForWorkAsync(Deployment deployment, Guid runId, string kind) =>
        deployment.WaitAsync(
            $"a job of {kind} to be done",
            () =>
                deployment.QueryAsync(
                    $"""
                    select count(*) from jobs u join runs r on r.id = '{runId}'
                    where u.kind = '{kind}' and u.state = 'Done' and (u.scope like r.id::text || '%' or u.scope = r.feature_set_key)
                    """
                ),
            count => count != "0"
        );

    /// <summary>Ends the process of a trainer that holds a job of a kind, after another such job is done.</summary>
    /// <returns>The beginning of the container's id.</returns>
    private static async Task<string> KillWorkerAsync(Deployment deployment, Guid runId, string kind)
    {
        await WaitForWorkAsync(deployment, runId, kind);
        while (true)
        {
            var attempt = await deployment.WaitAsync(
                $"a job of {kind} to run",
                () =>
                    deployment.QueryAsync(
                        $"""
                        select a.token || ' ' || split_part(a.worker, '/', 1) from attempts a join jobs u on u.id = a.job_id
                        where u.kind = '{kind}' and u.state = 'Running' and a.outcome is null order by a.started_at desc limit 1
                        """
                    ),
                text => text.Length > 0
            );
            var (token, worker) = (attempt.Split(' ')[0], attempt.Split(' ')[1]);
            var trainer = (await deployment.ContainersAsync("training")).Single(container =>
                container.Id.StartsWith(worker, StringComparison.Ordinal)
            );
            if (trainer.Process == 0)
            {
                // It is the one that was killed before, and has not started again.
                continue;
            }

            await Engine.KillProcessAsync(trainer.Process);
            if (await deployment.QueryAsync($"select count(*) from attempts where token = '{token}' and outcome is null") == "1")
            {
                return worker;
            }

            // It was committed in the moment before the kill: that is a fault too, but not the one to show here.
        }
    }
}
