using System.Diagnostics.Metrics;
using Distributed.Catalog;
using Distributed.Jobs;

namespace Distributed.Ingestion;

/// <summary>Metrics of ingestion. Every one stands in the table of docs/operations.md.</summary>
internal static class IngestionTelemetry
{
    private static readonly Meter Meter = new("Distributed.Ingestion");
    private static readonly Counter<long> Images = Meter.CreateCounter<long>(
        "distributed.ingestion.images",
        "{image}",
        "Images that were read, by what became of them: packed or skipped"
    );
    private static readonly Counter<long> Skipped = Meter.CreateCounter<long>(
        "distributed.ingestion.skipped",
        "{file}",
        "Files of complete data sets that cannot be used, by reason"
    );
    private static readonly Counter<long> Downloaded = Meter.CreateCounter<long>("distributed.download.io", "By", "Bytes downloaded");

    public static void RecordPart(int packed, int skipped)
    {
        Images.Add(packed, new KeyValuePair<string, object?>("outcome", "packed"));
        Images.Add(skipped, new KeyValuePair<string, object?>("outcome", "skipped"));
    }

    public static void RecordSkipped(IEnumerable<SkippedByReason> groups)
    {
        foreach (var group in groups)
        {
            Skipped.Add(group.Count, new KeyValuePair<string, object?>("error.type", JobTelemetry.Snake(group.Reason)));
        }
    }

    public static void RecordDownload(long bytes) => Downloaded.Add(bytes);
}
