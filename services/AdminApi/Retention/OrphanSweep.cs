using System.Text.RegularExpressions;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Retention;

/// <summary>
/// Finds files that attempts left which were lost. Only what carries an attempt in its name, or is temporary, can be one: a
/// file that a person put on the volume is none.
/// </summary>
internal sealed partial class OrphanSweep(IDbContextFactory<CatalogContext> contexts, Volume volume, TimeProvider time)
{
    private const int SuspiciousCount = 20;

    /// <summary>Finds them.</summary>
    /// <param name="age">How old they are at least.</param>
    /// <param name="cancellationToken">Stops the search.</param>
    /// <returns>The orphans, and whether they are so many that this may be another volume's catalog.</returns>
    public async Task<(IReadOnlyList<CollectedItem> Orphans, bool AreSuspicious)> FindAsync(
        TimeSpan age,
        CancellationToken cancellationToken
    )
    {
        // Files first, catalog second: what is committed in between is named by then.
        var before = (time.GetUtcNow() - age).UtcDateTime;
        var owned = Directory
            .EnumerateFiles(volume.Root, "*", SearchOption.AllDirectories)
            .Select(path =>
                (Path: Path.GetRelativePath(volume.Root, path).Replace('\\', '/'), Token: Token().Match(Path.GetFileName(path)))
            )
            .Where(file => file.Token.Success || IsTemporary(file.Path))
            .ToList();
        var old = owned
            .Select(file => (file.Path, file.Token, Info: new FileInfo(volume.FullPath(file.Path))))
            .Where(file => file.Info.Exists && file.Info.LastWriteTimeUtc < before)
            .ToList();
        if (old.Count == 0)
        {
            return ([], false);
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var named = await NamedAsync(context, cancellationToken);
        var running = await context
            .Jobs.Where(job => job.State == JobState.Running && job.Attempt != null)
            .Select(job => new { job.Kind, Attempt = job.Attempt!.Value })
            .ToListAsync(cancellationToken);
        var attempts = running.Select(job => job.Attempt.ToString("N")).ToHashSet(StringComparer.Ordinal);
        // Sources are made without attempts in their names.
        var sourcesAreMade = running.Any(job => job.Kind is nameof(IngestDataset) or nameof(DownloadFile));
        var orphans = old.Where(file =>
                !named.Contains(file.Path)
                && !(file.Token.Success && attempts.Contains(file.Token.Groups["token"].Value))
                && !(sourcesAreMade && file.Path.StartsWith("sources/", StringComparison.Ordinal))
            )
            .Select(file => new CollectedItem(
                "orphan",
                file.Path,
                IsTemporary(file.Path) ? "it was never finished" : "no row names it, and its attempt is over",
                file.Info.Length
            ))
            .ToList();
        return (orphans, orphans.Count > SuspiciousCount && orphans.Count > owned.Count / 2);
    }

    private static bool IsTemporary(string path) =>
        path.Split('/').Any(part => part.EndsWith(Volume.TemporarySuffix, StringComparison.Ordinal));

    private static async Task<HashSet<string>> NamedAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        IQueryable<string>[] names =
        [
            context.Ingestions.Select(row => row.FileIndex.Path),
            context.PackedParts.Select(row => row.Pixels.Path),
            context.PackedParts.Select(row => row.Records.Path),
            context.Datasets.Select(row => row.Manifest.Path),
            context.Backbones.Where(row => row.File != null).Select(row => row.File!.Path),
            context.FeatureShards.Select(row => row.File.Path),
            context.Runs.Where(row => row.Split != null).Select(row => row.Split!.Path),
            context.Checkpoints.Select(row => row.File.Path),
            context.Evaluations.Where(row => row.Report != null).Select(row => row.Report!.Path),
            context.Evaluations.Select(row => row.Predictions.Path),
            context.Comparisons.Select(row => row.Picture.Path),
            context.DatasetPredictions.Select(row => row.Csv.Path),
            context.DatasetPredictions.Select(row => row.JsonLines.Path),
            context.DatasetAudits.Select(row => row.File.Path),
            context.FeatureMaps.Select(row => row.File.Path),
            context.Downloads.Select(row => row.Path),
            // A download goes on from what is there, however long ago it was begun.
            context.Downloads.Where(row => row.CompletedAt == null).Select(row => row.Path + Volume.TemporarySuffix),
        ];
        var named = new HashSet<string>(StringComparer.Ordinal);
        foreach (var query in names)
        {
            named.UnionWith(await query.ToListAsync(cancellationToken));
        }

        return named;
    }

    [GeneratedRegex(@"\.(?<token>[0-9a-f]{32})(-[0-9]+)?\.", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Token();
}
