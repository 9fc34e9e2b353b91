using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Splits;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Images;

/// <summary>The images of a data set, under the names of one source that holds it.</summary>
/// <param name="Ingestion">The ingestion that packed them.</param>
/// <param name="Found">What it found.</param>
internal sealed record IngestedImages(Ingestion Ingestion, IngestedDataset Found)
{
    private readonly Lazy<Dictionary<string, int>> _rows = new(() =>
    {
        var rows = new Dictionary<string, int>(Found.Manifest.Images.Count, StringComparer.Ordinal);
        for (var row = 0; row < Found.Manifest.Images.Count; row++)
        {
            rows.TryAdd(Found.Manifest.Images[row].Sha256, row);
        }

        return rows;
    });

    private readonly Lazy<IReadOnlyList<IReadOnlyList<int>>> _copies = new(() => DuplicateSummary.FindCopies(Found.Manifest.Images));

    private readonly Lazy<int[][]> _rowsByLabel = new(() =>
    {
        var images = Found.Manifest.Images;
        var byLabel = Enumerable.Range(0, images.Count).ToLookup(row => images[row].Label);
        return [.. Found.Manifest.ClassNames.Select((_, label) => byLabel[label].ToArray())];
    });

    /// <summary>The rows of the images of each class.</summary>
    public IReadOnlyList<int[]> RowsByLabel => _rowsByLabel.Value;

    /// <summary>The rows of each image that occurs more than once, bit for bit.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Copies => _copies.Value;

    /// <summary>The images, labels and names.</summary>
    public DatasetManifest Manifest => Found.Manifest;

    /// <summary>The row of an image by the hash of its bytes, the first where it occurs more than once; null where it is none of them.</summary>
    public int? RowOf(string sha256) => _rows.Value.TryGetValue(sha256, out var row) ? row : null;

    /// <summary>The label of a class; null where there is none of that name.</summary>
    public int? LabelOf(string className)
    {
        for (var label = 0; label < Manifest.ClassNames.Count; label++)
        {
            if (string.Equals(Manifest.ClassNames[label], className, StringComparison.Ordinal))
            {
                return label;
            }
        }

        return null;
    }
}

/// <summary>
/// Finds images, and what was found about them, through the rows of the catalog: a request names hashes and ids, never a file. What people look at is
/// looked at again, so the latest are kept in memory.
/// </summary>
internal sealed class ImageCatalog(IDbContextFactory<CatalogContext> contexts, DatasetArtifacts artifacts)
{
    private readonly LatestUsed<string, IngestedImages> _ingested = new(most: 3);
    private readonly LatestUsed<StoredFile, IReadOnlyList<TestPrediction>> _predictions = new(most: 8);
    private readonly LatestUsed<Guid, DatasetSplit> _splits = new(most: 8);
    private readonly LatestUsed<StoredFile, DatasetAudit> _audits = new(most: 4);
    private readonly LatestUsed<(Guid, Guid), TestPairs> _pairs = new(most: 4);

    // Not disposed when others are used: somebody may be reading. Its handles close when nobody holds it.
    private readonly LatestUsed<string, PackedDataset> _packed = new(most: 4);

    /// <summary>The images of a data set, of the largest size that is packed.</summary>
    /// <returns>Null where no ingestion of it is complete.</returns>
    /// <exception cref="StoredFileException">A file is missing or damaged.</exception>
    public async Task<IngestedImages?> FindAsync(string datasetSha256, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ingestion = await context
            .Ingestions.AsNoTracking()
            .Where(row => row.DatasetSha256 == datasetSha256 && row.CompletedAt != null)
            .OrderByDescending(row => row.SquareSize)
            .ThenByDescending(row => row.CompletedAt)
            .FirstOrDefaultAsync(cancellationToken);
        return ingestion is null ? null : await ReadAsync(ingestion, cancellationToken);
    }

    /// <summary>The images of a run, under the names of its own source.</summary>
    /// <returns>Null where its images are not packed yet.</returns>
    /// <exception cref="StoredFileException">A file is missing or damaged.</exception>
    public async Task<IngestedImages?> FindAsync(Run run, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ingestion = await context
            .Ingestions.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Key == run.IngestionKey && row.CompletedAt != null, cancellationToken);
        return ingestion is null ? null : await ReadAsync(ingestion, cancellationToken);
    }

    /// <summary>The pixels of an image.</summary>
    /// <param name="images">Its data set.</param>
    /// <param name="row">Its row.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <returns>Size × size × 3 bytes, with the size.</returns>
    /// <exception cref="StoredFileException">A file is missing or damaged.</exception>
    public async Task<(byte[] Pixels, int Size)> ReadPixelsAsync(IngestedImages images, int row, CancellationToken cancellationToken)
    {
        var key = images.Ingestion.Key;
        var packed = await _packed.GetAsync(key, token => artifacts.OpenPackedAsync(key, token), cancellationToken);
        var pixels = new byte[packed.ImageBytes];
        await packed.ReadAsync(row, 1, pixels, cancellationToken);
        return (pixels, packed.Size);
    }

    /// <summary>What was predicted for each test image of an evaluated run.</summary>
    public Task<IReadOnlyList<TestPrediction>> ReadPredictionsAsync(Evaluation evaluation, CancellationToken cancellationToken) =>
        _predictions.GetAsync(
            evaluation.Predictions,
            token => artifacts.ReadJsonAsync<IReadOnlyList<TestPrediction>>(evaluation.Predictions, token),
            cancellationToken
        );

    /// <summary>The splits of a run that has some.</summary>
    public Task<DatasetSplit> ReadSplitAsync(Run run, CancellationToken cancellationToken) =>
        _splits.GetAsync(run.Id, token => artifacts.ReadSplitAsync(run, token), cancellationToken);

    /// <summary>What the features of an evaluated run say about its data set; null where that is not kept any more.</summary>
    public async Task<DatasetAudit?> FindAuditAsync(Evaluation evaluation, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return
            await context.DatasetAudits.AsNoTracking().SingleOrDefaultAsync(row => row.Key == evaluation.AuditKey, cancellationToken)
                is { } record
            ? await _audits.GetAsync(record.File, token => artifacts.ReadJsonAsync<DatasetAudit>(record.File, token), cancellationToken)
            : null;
    }

    /// <summary>The test images of two evaluated runs, image by image.</summary>
    public Task<TestPairs> JoinAsync(Guid first, Guid second, CancellationToken cancellationToken) =>
        _pairs.GetAsync((first, second), token => TestPairs.JoinAsync(contexts, artifacts, first, second, token), cancellationToken);

    private Task<IngestedImages> ReadAsync(Ingestion ingestion, CancellationToken cancellationToken) =>
        _ingested.GetAsync(
            ingestion.Key,
            async token => new IngestedImages(ingestion, await artifacts.ReadIngestedAsync(ingestion, token)),
            cancellationToken
        );
}
