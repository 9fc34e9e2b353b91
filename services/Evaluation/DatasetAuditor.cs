using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Splits;
using Distributed.Jobs;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Evidence;
using Distributed.Vision.Features;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Evaluation;

/// <summary>Judges the labels of a data set and looks for near duplicates across its splits, once for all runs with the same features and splits.</summary>
internal sealed class DatasetAuditor(
    IDbContextFactory<CatalogContext> contexts,
    DatasetArtifacts datasets,
    TensorThread tensors,
    TimeProvider time
)
{
    /// <summary>Changes with whatever changes what is found.</summary>
    private const string Version = "1";

    /// <summary>Beyond these, it takes minutes, or more memory than the evaluation itself.</summary>
    private const int MostJudgedImages = 200_000;
    private const long MostProbabilities = 50_000_000;
    private const long MostProducts = 2_000_000_000_000;

    /// <summary>Candidates by features, of which the pixels decide.</summary>
    private const int Candidates = 3;
    private const float LeastSimilarity = 0.8f;

    /// <summary>
    /// Other sizes, qualities, brightness, mirrors and small crops of 60 photos gave 0.97 and more in all but crops (0.5 to 0.95); pairs of different photos
    /// at most 0.75.
    /// </summary>
    private const float LeastCorrelation = 0.9f;

    /// <summary>The audit of a run's features and splits: as it is in the catalog, else made now.</summary>
    /// <returns>The audit, and the row of one that was made now, to be written with <see cref="AddAsync"/>.</returns>
    public async Task<(DatasetAudit Audit, DatasetAuditRecord Record)> AuditAsync(
        Run run,
        DatasetManifest manifest,
        DatasetSplit split,
        IFeatureSource features,
        JobLease lease,
        CancellationToken cancellationToken
    )
    {
        var key = ContentKey.Of(Version, run.FeatureSetKey!, run.Split!.Sha256);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (await context.DatasetAudits.AsNoTracking().SingleOrDefaultAsync(row => row.Key == key, cancellationToken) is { } known)
        {
            try
            {
                return (await datasets.ReadJsonAsync<DatasetAudit>(known.File, cancellationToken), known);
            }
            catch (StoredFileException)
            {
                // It follows from what is there, so it is recomputed.
            }
        }

        var audit = await MakeAsync(run, manifest, split, features, cancellationToken);
        var file = await datasets.WriteJsonAsync($"audits/{key}/audit.{lease.TokenText}.json", audit, cancellationToken);
        return (
            audit,
            new DatasetAuditRecord
            {
                Key = key,
                FeatureSetKey = run.FeatureSetKey!,
                File = file,
                JudgedLabels = audit.LabelsNotJudged is null ? audit.Labels.Count : null,
                DoubtedLabels = audit.LabelsNotJudged is null ? audit.Doubted : null,
                NearDuplicates = audit.NearDuplicatesNotSought is null ? audit.NearDuplicates.Count : null,
                CreatedAt = time.GetUtcNow().UtcDateTime,
            }
        );
    }

    /// <summary>Writes an audit in the transaction of what it was made for; another run may have made the same one meanwhile.</summary>
    public static async Task AddAsync(CatalogContext context, DatasetAuditRecord record, CancellationToken cancellationToken)
    {
        await context.LockFeatureSetAsync(record.FeatureSetKey, cancellationToken);
        var known = context.DatasetAudits.Where(row => row.Key == record.Key);
        if (await known.AnyAsync(row => row.File.Path == record.File.Path, cancellationToken))
        {
            return;
        }

        await known.ExecuteDeleteAsync(cancellationToken);
        context.DatasetAudits.Add(record);
    }

    private async Task<DatasetAudit> MakeAsync(
        Run run,
        DatasetManifest manifest,
        DatasetSplit split,
        IFeatureSource features,
        CancellationToken cancellationToken
    )
    {
        int[] learnt = [.. split.Train, .. split.Validation];
        var known = new FeatureSubset(features, learnt);
        var (labels, notJudged) = await JudgeAsync(manifest, learnt, known, cancellationToken);
        var (duplicates, notSought) = await FindDuplicatesAsync(run, split, features, learnt, known, cancellationToken);
        return new DatasetAudit
        {
            Labels = labels,
            LabelsNotJudged = notJudged,
            NearDuplicates = duplicates,
            NearDuplicatesNotSought = notSought,
        };
    }

    private async Task<(IReadOnlyList<JudgedLabel> Labels, string? NotJudged)> JudgeAsync(
        DatasetManifest manifest,
        int[] rows,
        IFeatureSource features,
        CancellationToken cancellationToken
    )
    {
        var classes = manifest.ClassNames.Count;
        int[] labels = [.. rows.Select(row => manifest.Images[row].Label)];
        if (labels.GroupBy(label => label).All(ofClass => ofClass.Count() < 2))
        {
            return ([], "no class has two images, so that none can be judged by the others");
        }

        if (rows.Length > MostJudgedImages || (long)rows.Length * classes > MostProbabilities)
        {
            return ([], $"{rows.Length} images of {classes} classes would take too long");
        }

        var gaussians = await tensors.RunAsync(token => ClassGaussians.Fit(features, labels, classes, token), cancellationToken);
        var judged = new List<JudgedLabel>(rows.Length);
        for (var i = 0; i < rows.Length; i++)
        {
            var probabilities = gaussians.LeftOutProbabilities.AsSpan(i * classes, classes);
            var suggested = 0;
            for (var label = 1; label < classes; label++)
            {
                suggested = probabilities[label] > probabilities[suggested] ? label : suggested;
            }

            // The only image of its class has no figure.
            if (float.IsFinite(probabilities[labels[i]]))
            {
                judged.Add(new JudgedLabel(rows[i], labels[i], probabilities[labels[i]], suggested, probabilities[suggested]));
            }
        }

        return ([.. judged.OrderBy(label => label.Own).ThenByDescending(label => label.Probability).ThenBy(label => label.Image)], null);
    }

    private async Task<(IReadOnlyList<NearDuplicate> Found, string? NotSought)> FindDuplicatesAsync(
        Run run,
        DatasetSplit split,
        IFeatureSource features,
        int[] learnt,
        IFeatureSource known,
        CancellationToken cancellationToken
    )
    {
        if ((long)split.Test.Length * learnt.Length * features.Size > MostProducts)
        {
            return ([], $"{split.Test.Length} test images against {learnt.Length} others would take too long");
        }

        var tests = features.Select(split.Test);
        var near = await tensors.RunAsync(
            token =>
            {
                using var images = new NearestImages(known);
                return images.Find(tests, Candidates, token);
            },
            cancellationToken
        );
        using var packed = await datasets.OpenPackedAsync(run.IngestionKey!, cancellationToken);
        var signatures = new Dictionary<int, PixelSignature>();
        var found = new List<NearDuplicate>();
        for (var i = 0; i < near.Count; i++)
        {
            foreach (var image in near[i].Where(image => image.Similarity >= LeastSimilarity))
            {
                var (test, training) = (split.Test[i], learnt[image.Row]);
                var correlation = (await SignAsync(test)).Correlate(await SignAsync(training));
                if (correlation >= LeastCorrelation)
                {
                    found.Add(new NearDuplicate(test, training, image.Similarity, correlation));
                }
            }
        }

        return ([.. found.OrderByDescending(pair => pair.Correlation).ThenBy(pair => pair.Test).ThenBy(pair => pair.Training)], null);

        async Task<PixelSignature> SignAsync(int row)
        {
            if (!signatures.TryGetValue(row, out var signature))
            {
                var pixels = new byte[packed.ImageBytes];
                await packed.ReadAsync(row, 1, pixels, cancellationToken);
                signatures.Add(row, signature = PixelSignature.Of(pixels, packed.Size));
            }

            return signature;
        }
    }
}
