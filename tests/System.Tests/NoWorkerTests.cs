using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class NoWorkerTests
{
    [Fact]
    public async Task A_run_without_a_trainer_says_that_it_waits_for_one()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        await cluster.TerminateAsync("Training", TimeSpan.FromSeconds(30));
        var runId = await cluster.SubmitAsync(new { precision = "fp32" });

        await cluster.WaitAsync(
            "the run to say so",
            () => WaitingAsync(cluster, runId),
            waiting => waiting == "No training worker is connected."
        );
        await cluster.WaitAsync("the metric", () => ConsumersAsync(cluster), consumers => consumers == 0);
        await cluster
            .Host("AdminApi")
            .WaitForLineAsync(line =>
                line.Contains("No training worker is connected; jobs that wait for one: 1", StringComparison.Ordinal)
            );
        cluster.Start("Training");
        await cluster.WaitForCompletionAsync(runId);

        await cluster.Host("AdminApi").WaitForLineAsync(line => line.Contains("A worker is connected: training", StringComparison.Ordinal));
        await cluster.WaitAsync("the metric", () => ConsumersAsync(cluster), consumers => consumers == 1);
        Assert.Null(await WaitingAsync(cluster, runId));
        Assert.Single(cluster.Host("AdminApi").Lines, line => line.Contains("No training worker is connected", StringComparison.Ordinal));
    }

    private static async Task<string?> WaitingAsync(Cluster cluster, Guid runId) =>
        (await cluster.GetAsync($"/api/v1/runs/{runId}")).TryGetProperty("waiting", out var waiting)
        && waiting.ValueKind == JsonValueKind.String
            ? waiting.GetString()
            : null;

    private static async Task<int?> ConsumersAsync(Cluster cluster) =>
        (await cluster.GetTextAsync("/metrics"))
            .Split('\n')
            .FirstOrDefault(line =>
                line.StartsWith("distributed_queue_consumers", StringComparison.Ordinal)
                && line.Contains("queue=\"train-head\"", StringComparison.Ordinal)
                && line.Contains("service=\"training\"", StringComparison.Ordinal)
            )
            ?.Split(' ')
            is [_, var value, ..]
            ? int.Parse(value, global::System.Globalization.CultureInfo.InvariantCulture)
            : null;
}
