using System.Text.Json;
using Distributed.Catalog;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Splits;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Artifacts;

/// <summary>What ingestion leaves on the volume, found through the catalog and verified: file indexes, manifests, packed images, splits.</summary>
/// <remarks>The latest of each kind stay in memory, since jobs of one data set follow each other.</remarks>
public sealed class DatasetArtifacts(IDbContextFactory<CatalogContext> contexts, Volume volume)
{
    private volatile Remembered? _latestIndex;
    private volatile Remembered? _latestManifest;
    private volatile LatestIngested? _latestIngested;

    /// <summary>Writes a record as JSON.</summary>
    /// <param name="path">Where, below the volume's root; carries the attempt.</param>
    /// <param name="value">The record.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    public Task<StoredFile> WriteJsonAsync<T>(string path, T value, CancellationToken cancellationToken) =>
        volume.WriteAsync(
            path,
            (stream, token) => JsonSerializer.SerializeAsync(stream, value, DatasetJson.Options, token),
            cancellationToken
        );

    /// <summary>Reads a record.</summary>
    /// <exception cref="StoredFileException">The file is missing or damaged.</exception>
    public async Task<T> ReadJsonAsync<T>(StoredFile file, CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize<T>(await volume.ReadAllBytesAsync(file, cancellationToken), DatasetJson.Options)!;

    /// <summary>Whether a file is there and is what was written.</summary>
    public async Task<bool> IsWholeAsync(StoredFile file, CancellationToken cancellationToken)
    {
        try
        {
            // Read again, since the caller may be here because of damage.
            await volume.ReadAllBytesAsync(file, cancellationToken);
            return true;
        }
        catch (StoredFileException)
        {
            return false;
        }
    }

    /// <summary>The file index of an ingestion.</summary>
    public async Task<FileIndex> ReadFileIndexAsync(Ingestion ingestion, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ingestion);
        if (_latestIndex is not { } latest || latest.File != ingestion.FileIndex)
        {
            latest = new Remembered(ingestion.FileIndex, await ReadJsonAsync<FileIndex>(ingestion.FileIndex, cancellationToken));
            _latestIndex = latest;
        }

        return (FileIndex)latest.Value;
    }

    /// <summary>What an ingestion found whose images are all packed, from its own file index and records.</summary>
    /// <param name="ingestion">The ingestion.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="StoredFileException">Files are missing or damaged.</exception>
    /// <exception cref="DatasetException">Too little is left to train and test a classifier.</exception>
    public async Task<IngestedDataset> ReadIngestedAsync(Ingestion ingestion, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ingestion);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var records = await context
            .PackedParts.AsNoTracking()
            .Where(part => part.IngestionKey == ingestion.Key)
            .OrderBy(part => part.Part)
            .Select(part => part.Records)
            .ToListAsync(cancellationToken);
        if (records.Count != ingestion.PartCount)
        {
            throw new StoredFileException(
                $"The ingestion {ingestion.Key} has {records.Count} of {ingestion.PartCount} packed parts in the catalog."
            );
        }

        IReadOnlyList<StoredFile> files = [ingestion.FileIndex, .. records];
        if (_latestIngested is { } latest && latest.Files.SequenceEqual(files))
        {
            return latest.Dataset;
        }

        // The files of a million images are worth all cores.
        var fileIndex = Task.Run(() => ReadFileIndexAsync(ingestion, cancellationToken), cancellationToken);
        var packed = new IReadOnlyList<PackedImage>[records.Count];
        await Parallel.ForAsync(
            0,
            records.Count,
            cancellationToken,
            async (part, token) => packed[part] = await ReadJsonAsync<IReadOnlyList<PackedImage>>(records[part], token)
        );
        var dataset = new IngestedDataset(await fileIndex, [.. packed.SelectMany(part => part)]);
        _latestIngested = new LatestIngested(files, dataset);
        return dataset;
    }

    /// <summary>The manifest of a data set: images, labels and folds are those of every source that holds it, names those of one.</summary>
    /// <param name="datasetSha256">The data set.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public async Task<DatasetManifest> ReadManifestAsync(string datasetSha256, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var file = (
            await context.Datasets.AsNoTracking().SingleAsync(dataset => dataset.Sha256 == datasetSha256, cancellationToken)
        ).Manifest;
        if (_latestManifest is not { } latest || latest.File != file)
        {
            latest = new Remembered(file, await ReadJsonAsync<DatasetManifest>(file, cancellationToken));
            _latestManifest = latest;
        }

        return (DatasetManifest)latest.Value;
    }

    /// <summary>The packed images of an ingestion; the rows are the images of its data set's manifest.</summary>
    public async Task<PackedDataset> OpenPackedAsync(string ingestionKey, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ingestion = await context.Ingestions.AsNoTracking().SingleAsync(row => row.Key == ingestionKey, cancellationToken);
        var records = await context
            .PackedParts.AsNoTracking()
            .Where(part => part.IngestionKey == ingestionKey)
            .OrderBy(part => part.Part)
            .ToListAsync(cancellationToken);
        if (records.Count != ingestion.PartCount)
        {
            throw new StoredFileException(
                $"The ingestion {ingestionKey} has {records.Count} of {ingestion.PartCount} packed parts in the catalog."
            );
        }

        var parts = new List<PackedPart>(records.Count);
        var first = 0;
        foreach (var record in records)
        {
            parts.Add(new PackedPart(record.Pixels, first, record.ImageCount));
            first += record.ImageCount;
        }

        return new PackedDataset(volume, ingestion.SquareSize, parts);
    }

    /// <summary>The splits of a run, drawn at planning.</summary>
    public Task<DatasetSplit> ReadSplitAsync(Run run, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(run);
        return ReadJsonAsync<DatasetSplit>(
            run.Split ?? throw new InvalidOperationException($"Run {run.Id} has no splits yet."),
            cancellationToken
        );
    }

    private sealed record Remembered(StoredFile File, object Value);

    private sealed record LatestIngested(IReadOnlyList<StoredFile> Files, IngestedDataset Dataset);
}
