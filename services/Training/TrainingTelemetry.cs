using System.Diagnostics.Metrics;
using Distributed.Jobs;
using TorchSharp;

namespace Distributed.Training;

/// <summary>Metrics of extraction and training. Every one stands in the table of docs/operations.md.</summary>
internal static class TrainingTelemetry
{
    private static readonly Meter Meter = new("Distributed.Training");
    private static readonly Counter<long> Images = Meter.CreateCounter<long>(
        "distributed.extraction.images",
        "{image}",
        "Images turned into features, by device, backbone and precision"
    );

    private static readonly Histogram<double> ShardDuration = Meter.CreateHistogram(
        "distributed.extraction.shard.duration",
        "s",
        "Time of computing a feature shard, by device, backbone and precision",
        advice: JobTelemetry.Seconds(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300)
    );

    private static readonly Histogram<double> SliceDuration = Meter.CreateHistogram(
        "distributed.training.slice.duration",
        "s",
        "Time of computing a training slice, by solver",
        advice: JobTelemetry.Seconds(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120)
    );

    private static readonly Counter<long> Epochs = Meter.CreateCounter<long>(
        "distributed.training.epochs",
        "{epoch}",
        "Epochs trained by Adam"
    );
    private static readonly Counter<long> Penalties = Meter.CreateCounter<long>(
        "distributed.training.penalties",
        "{penalty}",
        "Penalties tried by Newton's method"
    );

    public static void RecordShard(ExtractedShard shard, torch.Device device, string precision)
    {
        KeyValuePair<string, object?>[] tags =
        [
            new("device", device.ToString()),
            new("backbone", shard.Backbone),
            new("precision", precision),
        ];
        Images.Add(shard.Features.Count, tags);
        ShardDuration.Record(shard.Seconds, tags);
    }

    public static void RecordSlice(string solver, int epochs, int penalties, double seconds)
    {
        Epochs.Add(epochs);
        Penalties.Add(penalties);
        SliceDuration.Record(seconds, new KeyValuePair<string, object?>("solver", solver));
    }
}
