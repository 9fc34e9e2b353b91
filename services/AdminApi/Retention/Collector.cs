using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Retention;

/// <summary>
/// Removes from the volume what the retention policy does not keep. Rows go first, in a transaction that begins with the lock that a
/// run takes which joins them, and looks again whether an open run needs them; files go after it. What a crash leaves between the two is an orphan.
/// </summary>
internal sealed partial class Collector(
    IDbContextFactory<CatalogContext> contexts,
    OrphanSweep orphans,
    Volume volume,
    IOptions<RetentionOptions> options,
    TimeProvider time,
    ILogger<Collector> logger
) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1);

    /// <summary>Collects.</summary>
    /// <param name="dryRun">Whether only to tell.</param>
    /// <param name="force">Whether to remove orphans also where they are suspiciously many.</param>
    /// <param name="cancellationToken">Stops it; what is done is done.</param>
    public async Task<CollectionReport> CollectAsync(bool dryRun, bool force, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            // On another catalog's volume everything would be an orphan.
            volume.ThrowIfAway();
            List<CollectedItem> items =
            [
                .. await CollectCheckpointsAsync(dryRun, cancellationToken),
                .. await CollectFeaturesAsync(dryRun, cancellationToken),
                .. await CollectImagesAsync(dryRun, cancellationToken),
            ];
            var (found, areSuspicious) = await orphans.FindAsync(options.Value.Orphans, cancellationToken);
            var refused =
                areSuspicious && !force
                    ? $"{found.Count} files, more than half of the volume's, are named by no row. Is this the catalog of the volume {volume.Root}? If it is, collect with force=true."
                    : null;
            if (refused is not null)
            {
                LogRefused(refused);
            }

            if (refused is null || dryRun)
            {
                items.AddRange(found);
            }

            if (refused is null && !dryRun)
            {
                Delete(found.Select(orphan => orphan.Name));
            }

            var report = new CollectionReport(dryRun, items.Sum(item => item.Bytes), refused, items);
            if (!dryRun && items.Count > 0)
            {
                LogCollected(items.Count, report.Bytes);
            }

            return report;
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private async Task<IReadOnlyList<CollectedItem>> CollectCheckpointsAsync(bool dryRun, CancellationToken cancellationToken)
    {
        var before = Now() - options.Value.Checkpoints;
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var superseded = await context
            .SupersededCheckpoints()
            .AsNoTracking()
            .Where(checkpoint => context.Runs.Any(run => run.Id == checkpoint.RunId && run.FinishedAt < before))
            .ToListAsync(cancellationToken);
        var items = new List<CollectedItem>();
        foreach (var checkpoint in superseded)
        {
            if (!dryRun)
            {
                var gone = await context
                    .SupersededCheckpoints()
                    .Where(row => row.RunId == checkpoint.RunId && row.Slice == checkpoint.Slice && row.Kind == checkpoint.Kind)
                    .ExecuteDeleteAsync(cancellationToken);
                if (gone == 0)
                {
                    continue;
                }

                Delete([checkpoint.File.Path]);
            }

            items.Add(
                new CollectedItem("checkpoint", checkpoint.File.Path, "its run has ended and has a later one", checkpoint.File.Length)
            );
        }

        return items;
    }

    private async Task<IReadOnlyList<CollectedItem>> CollectFeaturesAsync(bool dryRun, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var sets = await context
            .FeatureSets.Select(set => new
            {
                set.Key,
                set.CreatedAt,
                Bytes = context.FeatureShards.Where(shard => shard.FeatureSetKey == set.Key).Sum(shard => shard.File.Length),
                LastRun = context
                    .Runs.Where(run => run.FeatureSetKey == set.Key)
                    .Max(run => (DateTime?)(run.FinishedAt ?? run.SubmittedAt)),
                IsNeeded = context.NeededFeatureSets().Any(needed => needed.Key == set.Key),
            })
            .ToListAsync(cancellationToken);
        var total = sets.Sum(set => set.Bytes);
        var items = new List<CollectedItem>();
        foreach (var set in sets.Where(set => !set.IsNeeded && set.Bytes > 0).OrderBy(set => set.LastRun ?? set.CreatedAt))
        {
            var used = set.LastRun ?? set.CreatedAt;
            var reason =
                options.Value.Features is { } age && used < Now() - age ? $"not used since {used:u}"
                : options.Value.FeatureBytes is { } most && total > most
                    ? $"not used since {used:u}, and all features have {total} bytes of {most}"
                : null;
            if (reason is not null && (dryRun || await RemoveFeaturesAsync(set.Key, cancellationToken)))
            {
                total -= set.Bytes;
                items.Add(new CollectedItem("features", set.Key, reason, set.Bytes));
            }
        }

        return items;
    }

    private async Task<IReadOnlyList<CollectedItem>> CollectImagesAsync(bool dryRun, CancellationToken cancellationToken)
    {
        if (options.Value.Images is not { } age)
        {
            return [];
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ingestions = await context
            .Ingestions.Where(ingestion => !context.NeededIngestions().Any(needed => needed.Key == ingestion.Key))
            .Select(ingestion => new
            {
                ingestion.Key,
                ingestion.CreatedAt,
                Bytes = context
                    .PackedParts.Where(part => part.IngestionKey == ingestion.Key)
                    .Sum(part => part.Pixels.Length + part.Records.Length),
                LastRun = context
                    .Runs.Where(run => run.IngestionKey == ingestion.Key)
                    .Max(run => (DateTime?)(run.FinishedAt ?? run.SubmittedAt)),
            })
            .ToListAsync(cancellationToken);
        var items = new List<CollectedItem>();
        foreach (var ingestion in ingestions.Where(ingestion => ingestion.Bytes > 0))
        {
            var used = ingestion.LastRun ?? ingestion.CreatedAt;
            if (used < Now() - age && (dryRun || await RemoveImagesAsync(ingestion.Key, cancellationToken)))
            {
                items.Add(new CollectedItem("images", ingestion.Key, $"not used since {used:u}", ingestion.Bytes));
            }
        }

        return items;
    }

    /// <summary>The set's row stays, since it says what the features of ended runs were; its shards are pending again.</summary>
    /// <returns>False when a run has joined it meanwhile.</returns>
    internal async Task<bool> RemoveFeaturesAsync(string key, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (
            !await context.LockFeatureSetAsync(key, cancellationToken)
            || await context.NeededFeatureSets().AnyAsync(set => set.Key == key, cancellationToken)
        )
        {
            return false;
        }

        var shards = context.FeatureShards.Where(shard => shard.FeatureSetKey == key);
        var paths = await shards.Select(shard => shard.File.Path).ToListAsync(cancellationToken);
        await shards.ExecuteDeleteAsync(cancellationToken);
        await context.ResetJobsAsync(nameof(ExtractFeatures), key, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        Delete(paths);
        return true;
    }

    /// <summary>The ingestion's row and file index stay; its parts are pending again.</summary>
    /// <returns>False when a run has joined it meanwhile.</returns>
    internal async Task<bool> RemoveImagesAsync(string key, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (
            !await context.LockIngestionAsync(key, cancellationToken)
            || await context.NeededIngestions().AnyAsync(ingestion => ingestion.Key == key, cancellationToken)
        )
        {
            return false;
        }

        var parts = context.PackedParts.Where(part => part.IngestionKey == key);
        var files = await parts.AsNoTracking().ToListAsync(cancellationToken);
        await parts.ExecuteDeleteAsync(cancellationToken);
        await context
            .Ingestions.Where(ingestion => ingestion.Key == key)
            .ExecuteUpdateAsync(ingestion => ingestion.SetProperty(i => i.CompletedAt, (DateTime?)null), cancellationToken);
        // It is planned again when the last part is packed.
        await context.DeleteJobsAsync(key, nameof(CompleteDataset), cancellationToken);
        await context.ResetJobsAsync(nameof(PackImages), key, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        Delete(files.SelectMany(part => new[] { part.Pixels.Path, part.Records.Path }));
        return true;
    }

    private void Delete(IEnumerable<string> paths)
    {
        foreach (var path in paths)
        {
            var full = volume.FullPath(path);
            // Its directory may be gone with it.
            if (File.Exists(full))
            {
                File.Delete(full);
            }
        }
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed {Count} things from the volume, {Bytes} bytes")]
    private partial void LogCollected(int count, long bytes);

    [LoggerMessage(Level = LogLevel.Error, Message = "Orphans are left on the volume. {Reason}")]
    private partial void LogRefused(string reason);
}
