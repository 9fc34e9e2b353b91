using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Splits;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Benchmarks;

/// <summary>
/// A data set of a hundred classes, its files as ingestion and evaluation leave them on the volume, and one run that was tested on a tenth of it. Of a
/// thousand images one occurs twice. Its pixels are drawn.
/// </summary>
internal static class GeneratedDataset
{
    private const int Classes = 100,
        PartSize = 10_000,
        Side = 8;

    /// <summary>The hash that it goes by.</summary>
    public const string Sha256 = "0000000000000000000000000000000000000000000000000000000000000001";

    private const string IngestionKey = "generated";

    /// <summary>Writes it.</summary>
    /// <returns>The run.</returns>
    public static async Task<Guid> WriteAsync(
        IDbContextFactory<CatalogContext> contexts,
        Volume volume,
        int images,
        CancellationToken cancellationToken
    )
    {
        var artifacts = new DatasetArtifacts(contexts, volume);
        string[] classNames = [.. Enumerable.Range(0, Classes).Select(label => $"class {label}")];
        var listed = Enumerable.Range(0, images).Select(row => List(row, images)).ToList();
        var index = await artifacts.WriteJsonAsync(
            "index.json",
            new FileIndex(SourceFormat.ImageFolder, "/data/generated", "generated", classNames, listed, Folds: null, "generated"),
            cancellationToken
        );
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        context.Datasets.Add(
            new Dataset
            {
                Sha256 = Sha256,
                Name = "generated",
                Source = "/data/generated",
                ImageCount = images,
                ClassNames = classNames,
                Manifest = index,
                CreatedAt = DateTime.UtcNow,
            }
        );
        context.Ingestions.Add(
            new Ingestion
            {
                Key = IngestionKey,
                Source = "/data/generated",
                SquareSize = Side,
                Fit = FitMode.Crop,
                CropShare = 1,
                Resampling = ResampleFilter.Bilinear,
                Decoding = JpegDecoding.Full,
                FileIndex = index,
                EntryCount = images,
                PartSize = PartSize,
                PartCount = images / PartSize,
                DatasetSha256 = Sha256,
                SkippedCount = 0,
                CreatedAt = DateTime.UtcNow,
                CompletedAt = DateTime.UtcNow,
            }
        );
        var random = new Random(0);
        for (var part = 0; part < images / PartSize; part++)
        {
            var pixels = new byte[PartSize * Side * Side * 3];
            random.NextBytes(pixels);
            context.PackedParts.Add(
                new PackedPartRecord
                {
                    IngestionKey = IngestionKey,
                    Part = part,
                    ImageCount = PartSize,
                    Pixels = await volume.WriteAsync(
                        $"part-{part}.bin",
                        (stream, token) => stream.WriteAsync(pixels, token).AsTask(),
                        cancellationToken
                    ),
                    Records = await artifacts.WriteJsonAsync(
                        $"part-{part}.json",
                        Enumerable.Range(part * PartSize, PartSize).Select(Pack).ToList(),
                        cancellationToken
                    ),
                }
            );
        }

        var run = await TestAsync(context, artifacts, listed, random, cancellationToken);
        await context.SaveChangesAsync(cancellationToken);
        return run;
    }

    private static async Task<Guid> TestAsync(
        CatalogContext context,
        DatasetArtifacts artifacts,
        List<ListedImage> listed,
        Random random,
        CancellationToken cancellationToken
    )
    {
        var bySplit = Enumerable.Range(0, listed.Count).ToLookup(row => listed[row].Split);
        int[] train = [.. bySplit[SplitName.Train]],
            validation = [.. bySplit[SplitName.Validation]],
            test = [.. bySplit[SplitName.Test]];
        var tested = test.Select(row => Test(row, listed[row].Label)).ToList();
        var confusion = tested.CountBy(one => (one.Label, one.Predicted)).ToDictionary();
        var run = GeneratedRuns.Draw(number: 1_000_000, random);
        run.State = RunState.Completed;
        run.DatasetSha256 = Sha256;
        run.IngestionKey = IngestionKey;
        run.TrainingAt = run.EvaluatingAt = run.FinishedAt = run.ExtractingAt;
        run.Split = await artifacts.WriteJsonAsync("split.json", new DatasetSplit(train, validation, test, []), cancellationToken);
        context.Runs.Add(run);
        context.Trials.Add(Trial.Of(run.Id, 0, ContractJson.Read(run.Specification)));
        context.EpochMetrics.AddRange(
            Enumerable
                .Range(1, 200)
                .Select(epoch => new EpochMetric
                {
                    RunId = run.Id,
                    Trial = 0,
                    Epoch = epoch,
                    TrainLoss = 3.0 / epoch,
                    TrainAccuracy = 1 - (0.5 / epoch),
                    ValidationLoss = 3.5 / epoch,
                    ValidationAccuracy = 1 - (0.6 / epoch),
                    LearningRate = 0.001,
                })
        );
        context.Evaluations.Add(
            GeneratedRuns.Evaluate(
                run,
                random,
                JsonSerializer.Serialize(
                    Enumerable
                        .Range(0, Classes)
                        .Select(label => Enumerable.Range(0, Classes).Select(other => confusion.GetValueOrDefault((label, other))))
                ),
                test.Length,
                await artifacts.WriteJsonAsync("predictions.json", tested, cancellationToken)
            )
        );
        context.ClassMetrics.AddRange(
            Enumerable
                .Range(0, Classes)
                .Select(label => new ClassMetric
                {
                    RunId = run.Id,
                    Label = label,
                    ClassName = $"class {label}",
                    Precision = 0.9,
                    Recall = 0.9,
                    F1 = 0.9,
                    Support = test.Length / Classes,
                })
        );
        List<JudgedLabel> judged =
        [
            .. train
                .Concat(validation)
                .Select(row => new JudgedLabel(row, listed[row].Label, random.NextSingle(), Another(row), random.NextSingle())),
        ];
        judged.Sort((one, other) => one.Own.CompareTo(other.Own));
        List<NearDuplicate> near =
        [
            .. test.Take(1_000).Select(row => new NearDuplicate(row, train[row % train.Length], 0.9f + (random.NextSingle() / 10), 0.99f)),
        ];
        context.DatasetAudits.Add(
            new DatasetAuditRecord
            {
                Key = GeneratedRuns.AuditKey,
                FeatureSetKey = IngestionKey,
                File = await artifacts.WriteJsonAsync(
                    "audit.json",
                    new DatasetAudit { Labels = judged, NearDuplicates = near },
                    cancellationToken
                ),
                JudgedLabels = judged.Count,
                DoubtedLabels = judged.Count(label => label.Suggested != label.Label),
                NearDuplicates = near.Count,
                CreatedAt = DateTime.UtcNow,
            }
        );
        return run.Id;

        // One in a hundred images is doubted, and one in ten tested ones is a mistake.
        int Another(int row) => row % 97 == 0 ? (listed[row].Label + 1) % Classes : listed[row].Label;
        TestPrediction Test(int row, int label) =>
            new(row, label, random.Next(10) == 0 ? random.Next(Classes) : label, random.NextSingle(), random.NextSingle());
    }

    private static ListedImage List(int row, int images)
    {
        var split =
            row < images / 10 * 8 ? SplitName.Train
            : row < images / 10 * 9 ? SplitName.Validation
            : SplitName.Test;
        var label = row % Classes;
        return new ListedImage(string.Create(CultureInfo.InvariantCulture, $"{split}/class {label}/image-{row:D7}.jpg"), label, split);
    }

    private static PackedImage Pack(int row)
    {
        var content = row % 1_000 == 999 ? row - 1 : row;
        return new PackedImage(
            row,
            Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(content.ToString(CultureInfo.InvariantCulture)))),
            500,
            375,
            Skipped: null
        );
    }
}
