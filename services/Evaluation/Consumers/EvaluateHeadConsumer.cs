using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Evaluation.Reporting;
using Distributed.Messaging;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Evaluation.Consumers;

/// <summary>Tests a run's best head once, writes its report where one is asked for, and completes the run.</summary>
internal sealed class EvaluateHeadConsumer(
    JobWorker worker,
    IDbContextFactory<CatalogContext> contexts,
    RunFlow runs,
    DatasetArtifacts datasets,
    FeatureArtifacts features,
    ReportComposer composer,
    Volume volume,
    TensorThread tensors,
    TimeProvider time
) : JobConsumer<EvaluateHead>(worker)
{
    public override async Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        var (run, specification) = await contexts.ReadRunAsync(lease.Job.RunId, cancellationToken);
        var manifest = await datasets.ReadManifestAsync(run.DatasetSha256!, cancellationToken);
        var ingestion = await FindIngestionAsync(run, cancellationToken);
        var split = await datasets.ReadSplitAsync(run, cancellationToken);
        var shards = await features.FindShardsAsync(run.FeatureSetKey!, cancellationToken);
        var checkpoint = await FindBestAsync(run.Id, cancellationToken);
        var bytes = await volume.ReadAllBytesAsync(checkpoint.File, cancellationToken);
        var evaluated = await tensors.RunAsync(
            _ =>
                EvaluatedHead.Evaluate(
                    TrainedHead.Load(bytes, checkpoint.File.Path),
                    FeatureShardFile.Read(shards),
                    manifest,
                    split,
                    specification.TopK
                ),
            cancellationToken
        );

        var classes = evaluated.Report.PerClass.Select(metric => ToMetric(run.Id, manifest.ClassNames[metric.Class], metric)).ToList();
        StoredFile? report = null;
        if (specification.Report)
        {
            // Under the names of this run's source, which may be another one than that in which the data set was found first.
            var input = await datasets.ReadIngestedAsync(ingestion, cancellationToken);
            var model = await composer.ComposeAsync(run, specification, input, evaluated, classes, checkpoint, cancellationToken);
            report = await volume.WriteAsync(
                $"runs/{run.Id:D}/report.{lease.TokenText}.html",
                (stream, token) => ReportWriter.WriteAsync(stream, model, token),
                cancellationToken
            );
        }

        return async (context, token) =>
        {
            context.Evaluations.Add(ToEvaluation(run.Id, evaluated.Report, checkpoint, report));
            context.ClassMetrics.AddRange(classes);
            await runs.MoveAsync(context, run.Id, RunState.Evaluating, RunState.Completed, token);
        };
    }

    private static ClassMetric ToMetric(Guid runId, string className, ClassMetrics metric) =>
        new()
        {
            RunId = runId,
            Label = metric.Class,
            ClassName = className,
            Precision = metric.Precision,
            Recall = metric.Recall,
            F1 = metric.F1,
            Support = (int)metric.Support,
        };

    private Catalog.Evaluation ToEvaluation(Guid runId, ClassificationReport report, Checkpoint checkpoint, StoredFile? file) =>
        new()
        {
            RunId = runId,
            TestImages = report.Count,
            TestAccuracy = report.Accuracy.Value,
            TestAccuracyLow = report.Accuracy.Low,
            TestAccuracyHigh = report.Accuracy.High,
            TestLoss = report.CrossEntropy,
            TopK = report.TopK,
            TopKAccuracy = report.TopKAccuracy?.Value,
            MacroF1 = report.MacroF1,
            ConfusionMatrix = JsonSerializer.Serialize(report.Confusion),
            HeadSha256 = checkpoint.File.Sha256,
            Report = file,
            CreatedAt = time.GetUtcNow().UtcDateTime,
        };

    private async Task<Catalog.Ingestion> FindIngestionAsync(Run run, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Ingestions.AsNoTracking().SingleAsync(row => row.Key == run.IngestionKey, cancellationToken);
    }

    private async Task<Checkpoint> FindBestAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context
            .Checkpoints.AsNoTracking()
            .Where(checkpoint => checkpoint.RunId == runId && checkpoint.Kind == CheckpointKind.Best)
            .OrderByDescending(checkpoint => checkpoint.Slice)
            .FirstAsync(cancellationToken);
    }
}
