using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>A run that is small, and still has several parts, shards and slices.</summary>
internal static class SampleRun
{
    public static IReadOnlyDictionary<string, string?> Settings { get; } =
        new Dictionary<string, string?>
        {
            ["Ingestion__SampleTrainImages"] = "400",
            ["Ingestion__SampleTestImages"] = "200",
            ["Ingestion__MostImagesAPart"] = "150",
            ["Training__ShardImages"] = "64",
            ["Training__Slice"] = "00:00:00.200",
        };

    /// <summary>A training of many slices.</summary>
    public static object Specification { get; } = Train(epochs: 120);

    /// <summary>What <see cref="Specification"/> comes to where nothing happens; computed once for all tests.</summary>
    public static Lazy<Task<SampleResult>> Undisturbed { get; } =
        new(async () =>
        {
            await using var cluster = await Cluster.StartAsync(Settings);
            return await SampleResult.WaitAsync(cluster, await cluster.SubmitAsync(Specification));
        });

    /// <summary>fp32, so that no measurement decides between two arithmetics; an MLP, so that training takes as long as it is told to.</summary>
    public static object Train(int epochs) =>
        new
        {
            dataset = "sample",
            precision = "fp32",
            head = new
            {
                kind = "mlp",
                hiddenSizes = new[] { 512 },
                dropout = 0.5,
            },
            training = new { epochs, patience = epochs },
        };
}
