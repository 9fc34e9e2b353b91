using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Imaging;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Ingestion.Handlers;

/// <summary>Decodes, resizes and packs one range of a file index.</summary>
internal sealed partial class PackImagesHandler(
    JobStore store,
    IDbContextFactory<CatalogContext> contexts,
    DatasetArtifacts artifacts,
    Volume volume,
    ImageDecodings decodings,
    DataRoots roots,
    ILogger<PackImagesHandler> logger
) : IJobHandler<PackImages>
{
    public async Task<JobWrite> ExecuteAsync(PackImages job, JobLease lease, CancellationToken cancellationToken)
    {
        var (key, part) = (job.Scope, job.Step);
        var ingestion = await ReadAsync(key, cancellationToken);
        var fileIndex = await artifacts.ReadFileIndexAsync(ingestion, cancellationToken);
        var first = part * ingestion.PartSize;
        var count = Math.Min(ingestion.PartSize, ingestion.EntryCount - first);

        // An image may have ended that worker, or somebody: to decode apart from the host is right after both.
        await using var isolated = await store.HasLostWorkerAsync(lease, cancellationToken) ? decodings.Isolate() : null;
        if (isolated is not null)
        {
            LogIsolated(lease.Job);
        }

        var decoding = isolated ?? decodings.Local;
        IReadOnlyList<PackedImage> images = [];
        var pixels = await volume.WriteAsync(
            $"ingestions/{key}/part-{part:D5}.{lease.TokenText}.u8",
            async (stream, token) =>
                images = await ImagePacker.PackAsync(
                    fileIndex,
                    first,
                    count,
                    new ImagePreparation(ingestion.SquareSize, ingestion.Fit, ingestion.Decoding)
                    {
                        CropShare = ingestion.CropShare,
                        Resampling = ingestion.Resampling,
                    },
                    stream,
                    decoding,
                    roots,
                    token
                ),
            cancellationToken
        );
        var records = await artifacts.WriteJsonAsync($"ingestions/{key}/part-{part:D5}.{lease.TokenText}.json", images, cancellationToken);
        var packed = images.Count(image => image.Skipped is null);
        IngestionTelemetry.RecordPart(packed, images.Count - packed);
        foreach (var image in images.Where(image => image.Skipped is not null))
        {
            LogSkipped(fileIndex.Entries[image.Entry].Name, image.Skipped!);
        }

        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                var known = context.PackedParts.Where(row => row.IngestionKey == key && row.Part == part);
                if (await known.AsNoTracking().SingleOrDefaultAsync(token) is { } damaged)
                {
                    ThrowIfChanged(ingestion, damaged, pixels);
                    await known.ExecuteDeleteAsync(token);
                }

                context.PackedParts.Add(
                    new PackedPartRecord
                    {
                        IngestionKey = key,
                        Part = part,
                        ImageCount = packed,
                        Pixels = pixels,
                        Records = records,
                    }
                );
            }
        );
    }

    /// <summary>A part is packed again where its file was damaged; features and splits are of the images that it held.</summary>
    private static void ThrowIfChanged(Catalog.Ingestion ingestion, PackedPartRecord damaged, StoredFile pixels)
    {
        if (damaged.Pixels.Sha256 != pixels.Sha256)
        {
            throw new DatasetException(
                $"The packed images '{damaged.Pixels.Path}' are damaged, and cannot be packed again: the images in {ingestion.Source} have changed since. Submit the run again."
            );
        }
    }

    private async Task<Catalog.Ingestion> ReadAsync(string key, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Ingestions.AsNoTracking().SingleAsync(row => row.Key == key, cancellationToken);
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "A worker was lost over {Job}; its images are decoded apart from the host, and one that ends a process is skipped"
    )]
    private partial void LogIsolated(JobKey job);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Name} is skipped: {Reason}")]
    private partial void LogSkipped(string name, string reason);
}
