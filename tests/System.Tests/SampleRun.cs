namespace Distributed.System.Tests;

/// <summary>A run that is small, and still has several parts, shards and slices.</summary>
internal static class SampleRun
{
    public static IReadOnlyDictionary<string, string?> Settings { get; } = new Dictionary<string, string?>
    {
        ["Ingestion__SampleTrainImages"] = "400",
        ["Ingestion__SampleTestImages"] = "200",
        ["Ingestion__MostImagesAPart"] = "150",
        ["Training__ShardImages"] = "64",
        ["Training__Slice"] = "00:00:00.200",
    };

    /// <summary>fp32, so that no measurement decides between two arithmetics; an MLP over many epochs, so that training takes many slices.</summary>
    public static object Specification { get; } = new
    {
        dataset = "sample",
        precision = "fp32",
        head = new { kind = "mlp", hiddenSizes = new[] { 512 }, dropout = 0.5 },
        training = new { epochs = 120, patience = 120 },
    };
}
