using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Evaluation.Reporting;
using Distributed.Networks;
using Distributed.Registry;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Evaluation;

/// <summary>Gathers what the report of a run shows from the catalog and the evaluation.</summary>
internal sealed class ReportComposer(IDbContextFactory<CatalogContext> contexts, DatasetArtifacts datasets, TimeProvider time)
{
    private static readonly JsonSerializerOptions Indented = new(ContractJson.Strict) { WriteIndented = true };

    public async Task<ReportModel> ComposeAsync(
        Run run,
        RunSpecification specification,
        IngestedDataset input,
        EvaluatedHead evaluated,
        DatasetAudit audit,
        IReadOnlyList<ClassMetric> classes,
        Checkpoint head,
        CancellationToken cancellationToken
    )
    {
        var manifest = input.Manifest;
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var set = await context.FeatureSets.AsNoTracking().SingleAsync(row => row.Key == run.FeatureSetKey, cancellationToken);
        var backbone = await context.Backbones.AsNoTracking().SingleAsync(row => row.Sha256 == set.BackboneSha256, cancellationToken);
        var epochs = await context.EpochsOf(run.Id, head.Trial).AsNoTracking().ToListAsync(cancellationToken);
        using var packed = await datasets.OpenPackedAsync(run.IngestionKey!, cancellationToken);
        var samples = new ReportSamples(manifest, packed);
        return new ReportModel
        {
            Run = new ReportRun
            {
                Id = run.Id.ToString("D"),
                Name = run.Name,
                Tags = run.Tags,
                Submitter = run.Submitter,
            },
            Dataset = Describe(run, input),
            Features = new ReportFeatures
            {
                BackboneOrigin = backbone.Origin,
                BackboneSha256 = backbone.Sha256,
                Key = set.Key,
                Precision = ChoiceName.Of(set.Precision),
                InputSize = set.InputSize,
                Fit = ChoiceName.Of(specification.Fit),
                Preprocessing = set.Preprocessing,
            },
            Comparison = run.Candidates is null ? null : await FindComparisonAsync(context, run.Id, cancellationToken),
            Head = new ReportHead
            {
                Kind = ChoiceName.Of(specification.Head.Kind),
                HiddenSizes = specification.Head.Kind == HeadKind.Mlp ? specification.Head.HiddenSizes : [],
                Dropout = specification.Head.Kind == HeadKind.Mlp ? specification.Head.Dropout : null,
                Sha256 = head.File.Sha256,
            },
            Epochs =
            [
                .. epochs.Select(epoch => new ReportEpoch(
                    epoch.Epoch,
                    epoch.TrainLoss,
                    epoch.TrainAccuracy,
                    epoch.ValidationLoss,
                    epoch.ValidationAccuracy,
                    epoch.LearningRate,
                    epoch.Penalty
                )),
            ],
            BestEpoch = head.Epoch,
            Evaluation = Describe(evaluated),
            Reliability = new ReportReliability(
                evaluated.Reliability.Error,
                evaluated.UncalibratedError,
                evaluated.Temperature,
                evaluated.Reliability.Bins
            ),
            Audit = await DescribeAsync(audit, evaluated, samples, cancellationToken),
            Gallery = await samples.DrawGalleryAsync(evaluated, cancellationToken),
            Mistakes = await samples.DrawMistakesAsync(evaluated, cancellationToken),
            Warnings = RunWarnings.Of(run, specification, input.Summary, classes),
            Notes = Note(specification, manifest, backbone),
            Stages = Time(run),
            Repeat = new ReportRepeat
            {
                SpecificationJson = JsonSerializer.Serialize(specification, Indented),
                CommandLine = RunCommandLine.Write(specification),
                Environment = DescribeEnvironment(run, set),
                Seeds = [new ReportEntry("seed", $"{specification.Seed}"), new ReportEntry("splitSeed", $"{specification.SplitSeed}")],
            },
        };
    }

    private static async Task<ReportComparison> FindComparisonAsync(CatalogContext context, Guid runId, CancellationToken cancellationToken)
    {
        var comparison = await context.Comparisons.AsNoTracking().SingleAsync(row => row.RunId == runId, cancellationToken);
        var bases = await context
            .ComparedBases.AsNoTracking()
            .Where(row => row.RunId == runId)
            .OrderBy(row => row.Position)
            .ToListAsync(cancellationToken);
        var ranked = BackboneChoice.Rank(bases);
        return new ReportComparison(
            comparison.Images,
            [
                .. ranked.Select(one => new ReportBase(
                    one.Base.Backbone,
                    one.Base.InputSize,
                    one.Base.Accuracy,
                    one.Base.AccuracyLow,
                    one.Base.AccuracyHigh,
                    one.PValue,
                    one.Base.ImagesPerSecond,
                    one.Base.FeatureSize,
                    one.Base.Licence,
                    one.IsChosen,
                    one.Base.Reason
                )),
            ],
            // Drawn again rather than read, so that a damaged picture costs no report.
            ComparisonPicture.Draw(ranked, comparison.Images)
        );
    }

    private static ReportDataset Describe(Run run, IngestedDataset input) =>
        new()
        {
            Input = input.Summary,
            Sha256 = input.Manifest.Sha256,
            ClassNames = input.Manifest.ClassNames,
            TrainImages = run.TrainImages ?? 0,
            ValidationImages = run.ValidationImages ?? 0,
            TestImages = run.TestImages ?? 0,
            DuplicatesRemoved = run.RemovedDuplicates ?? 0,
        };

    private static ReportEvaluation Describe(EvaluatedHead evaluated)
    {
        var report = evaluated.Report;
        return new ReportEvaluation
        {
            Accuracy = report.Accuracy.Value,
            AccuracyLow = report.Accuracy.Low,
            AccuracyHigh = report.Accuracy.High,
            TestImages = report.Count,
            Loss = report.CrossEntropy,
            TopK = report.TopK,
            TopKAccuracy = report.TopKAccuracy?.Value,
            MacroF1 = report.MacroF1,
            Classes = [.. report.PerClass.Select(c => new ReportClassMetric(c.Precision, c.Recall, c.F1, (int)c.Support))],
            ConfusionMatrix = [.. report.Confusion.Select(row => Array.ConvertAll(row, count => (int)count))],
        };
    }

    private static async Task<ReportAudit> DescribeAsync(
        DatasetAudit audit,
        EvaluatedHead evaluated,
        ReportSamples samples,
        CancellationToken cancellationToken
    )
    {
        var leaked = audit.LeakedTestImages;
        var unleaked = leaked is null ? null : evaluated.AccuracyWithout(leaked);
        return new ReportAudit
        {
            Judged = audit.Labels.Count,
            Doubted = audit.Doubted,
            NotJudged = audit.LabelsNotJudged,
            Suspects = await samples.DrawSuspectsAsync(audit, cancellationToken),
            LeakedTestImages = leaked?.Count ?? 0,
            NotSought = audit.NearDuplicatesNotSought,
            Duplicates = await samples.DrawDuplicatesAsync(audit, cancellationToken),
            UnleakedAccuracy = unleaked?.Value,
            UnleakedAccuracyLow = unleaked?.Low,
            UnleakedAccuracyHigh = unleaked?.High,
        };
    }

    /// <summary>What a reader should know before believing the figures.</summary>
    internal static List<string> Note(RunSpecification specification, DatasetManifest manifest, Backbone backbone)
    {
        var notes = new List<string>();
        // The sample has STL-10's layout, and is drawn. Of weights in somebody's file, only that person knows what they saw.
        if (
            manifest.Format == SourceFormat.Stl10Binary
            && specification.Dataset != "sample"
            && backbone.Source is not (PretrainedBases.Demo or PretrainedBases.Random)
        )
        {
            notes.Add(
                PretrainedBases.Identify(backbone.Source, backbone.Sha256)?.TrainedOn == PretrainedBase.Imagenet
                    ? "STL-10's images were taken from labelled ImageNet images, so the ImageNet weights of the backbone may have seen test images."
                    : "STL-10's images were taken from labelled ImageNet images: if the backbone's weights were trained on ImageNet, they may have seen test images."
            );
        }

        if (backbone.Source == "random")
        {
            notes.Add("The backbone's weights are random: this is the floor that a pretrained backbone has to beat.");
        }

        return notes;
    }

    private ReportStages Time(Run run) =>
        new(
            Run.SecondsBetween(run.IngestingAt, run.ExtractingAt),
            Run.SecondsBetween(run.ExtractingAt, run.TrainingAt),
            Run.SecondsBetween(run.TrainingAt, run.EvaluatingAt),
            Run.SecondsBetween(run.EvaluatingAt, time.GetUtcNow().UtcDateTime),
            Run.SecondsBetween(run.SubmittedAt, time.GetUtcNow().UtcDateTime),
            run.FeatureCacheHit == true
        );

    private static List<ReportEntry> DescribeEnvironment(Run run, FeatureSet set)
    {
        var entries = new List<ReportEntry>();
        if (run.Environment is { } json)
        {
            using var document = JsonDocument.Parse(json);
            entries.AddRange(
                document.RootElement.EnumerateObject().Select(member => new ReportEntry(member.Name, member.Value.ToString()))
            );
        }

        entries.Add(new ReportEntry("extraction batch", $"{set.BatchSize} images"));
        entries.Add(new ReportEntry("extractor version", $"{set.ExtractorVersion}"));
        return entries;
    }
}
