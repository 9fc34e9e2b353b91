using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>What the only run of a cluster came to.</summary>
/// <param name="Accuracy">On the test images.</param>
/// <param name="HeadSha256">Of the head that was evaluated.</param>
/// <param name="LastSha256">Of the last checkpoint.</param>
/// <param name="Shards">Feature shards; each is stored once.</param>
/// <param name="Images">Images in them.</param>
/// <param name="Epochs">Measured epochs; each is counted once.</param>
/// <param name="Evaluations">Evaluations.</param>
internal sealed record SampleResult(
    double Accuracy,
    string HeadSha256,
    string LastSha256,
    long Shards,
    long Images,
    long Epochs,
    long Evaluations
)
{
    /// <summary>Waits until the run is complete, and makes sure that all of its work is done and counted once.</summary>
    public static async Task<SampleResult> WaitAsync(Cluster cluster, Guid runId)
    {
        var run = await cluster.WaitForCompletionAsync(runId);
        var result = new SampleResult(
            run.GetProperty("summary").GetProperty("testAccuracy").GetDouble(),
            run.GetProperty("headSha256").GetString()!,
            await cluster.QueryAsync<string>("select file_sha256 from checkpoints where kind = 'Last' order by slice desc limit 1"),
            await cluster.QueryAsync<long>("select count(*) from feature_shards"),
            await cluster.QueryAsync<long>("select sum(image_count) from feature_shards"),
            await cluster.QueryAsync<long>("select count(*) from epoch_metrics"),
            await cluster.QueryAsync<long>("select count(*) from evaluations")
        );
        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from jobs where state <> 'Done'"));
        Assert.Equal(result.Shards, await cluster.QueryAsync<int>("select shard_count from feature_sets"));
        Assert.Equal((600, 1), (result.Images, result.Evaluations));
        Assert.Equal(result.Epochs, await cluster.QueryAsync<int>("select max(epoch) from epoch_metrics"));
        return result;
    }
}
