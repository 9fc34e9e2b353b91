using System.Diagnostics.Metrics;

namespace Distributed.Training;

/// <summary>Metrics of extraction and training.</summary>
internal static class TrainingTelemetry
{
    private static readonly Meter Meter = new("Distributed.Training");
    private static readonly Counter<long> Images = Meter.CreateCounter<long>("distributed.features.images", "{image}", "Images turned into features");
    private static readonly Histogram<double> Rate = Meter.CreateHistogram<double>("distributed.features.rate", "{image}/s", "Images a second of a feature shard");
    private static readonly Histogram<double> ShardDuration = Meter.CreateHistogram<double>("distributed.features.shard_duration", "s", "Time of computing a feature shard");
    private static readonly Histogram<double> SliceDuration = Meter.CreateHistogram<double>("distributed.training.slice_duration", "s", "Time of computing a training slice");
    private static readonly Counter<long> Epochs = Meter.CreateCounter<long>("distributed.training.epochs", "{epoch}", "Epochs trained by Adam");
    private static readonly Counter<long> Penalties = Meter.CreateCounter<long>("distributed.training.penalties", "{penalty}", "Penalties tried by Newton's method");

    public static void RecordShard(int images, double seconds, string precision)
    {
        var tag = new KeyValuePair<string, object?>("precision", precision);
        Images.Add(images, tag);
        Rate.Record(images / seconds, tag);
        ShardDuration.Record(seconds, tag);
    }

    public static void RecordSlice(int epochs, int penalties, double seconds)
    {
        Epochs.Add(epochs);
        Penalties.Add(penalties);
        SliceDuration.Record(seconds);
    }
}
