using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Evaluation.Reporting;
using Distributed.Jobs;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Evaluation.Handlers;

/// <summary>Tests a run's best head once, writes its report where one is asked for, and completes the run.</summary>
internal sealed class EvaluateHeadHandler(
    IDbContextFactory<CatalogContext> contexts,
    DatasetArtifacts datasets,
    FeatureArtifacts features,
    DatasetAuditor auditor,
    ReportComposer composer,
    Volume volume,
    TensorThread tensors,
    TimeProvider time
) : IJobHandler<EvaluateHead>
{
    public async Task<JobWrite> ExecuteAsync(EvaluateHead job, JobLease lease, CancellationToken cancellationToken)
    {
        var (run, specification) = await contexts.ReadRunAsync(lease.RunId, cancellationToken);
        var manifest = await datasets.ReadManifestAsync(run.DatasetSha256!, cancellationToken);
        var ingestion = await FindIngestionAsync(run, cancellationToken);
        var split = await datasets.ReadSplitAsync(run, cancellationToken);
        var shards = await features.FindShardsAsync(run.FeatureSetKey!, cancellationToken);
        var checkpoint = await FindBestAsync(run.Id, cancellationToken);
        var bytes = await volume.ReadAllBytesAsync(checkpoint.File, cancellationToken);
        var images = FeatureShards.Open(shards);
        var evaluated = await tensors.RunAsync(
            _ => EvaluatedHead.Evaluate(TrainedHead.Load(bytes, checkpoint.File.Path), images, manifest, split, specification.TopK),
            cancellationToken
        );
        var (audit, auditRecord) = await auditor.AuditAsync(run, manifest, split, images, lease, cancellationToken);
        var predictions = await datasets.WriteJsonAsync(
            $"runs/{run.Id:D}/predictions.{lease.TokenText}.json",
            evaluated.Predictions,
            cancellationToken
        );
        var classes = evaluated.Report.PerClass.Select(metric => ToMetric(run.Id, manifest.ClassNames[metric.Class], metric)).ToList();
        StoredFile? report = null;
        if (specification.Report)
        {
            // Under the names of this run's source, which may be another one than that in which the data set was found first.
            var input = await datasets.ReadIngestedAsync(ingestion, cancellationToken);
            var model = await composer.ComposeAsync(run, specification, input, evaluated, audit, classes, checkpoint, cancellationToken);
            report = await volume.WriteAsync(
                $"runs/{run.Id:D}/report.{lease.TokenText}.html",
                (stream, token) => ReportWriter.WriteAsync(stream, model, token),
                cancellationToken
            );
        }

        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                await DatasetAuditor.AddAsync(context, auditRecord, token);
                context.Evaluations.Add(ToEvaluation(run, evaluated, audit, auditRecord.Key, checkpoint, predictions, report));
                context.ClassMetrics.AddRange(classes);
                await context.MoveRunAsync(run.Id, RunState.Evaluating, RunState.Completed, Now(), token);
            }
        );
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

    private Catalog.Evaluation ToEvaluation(
        Run run,
        EvaluatedHead evaluated,
        DatasetAudit audit,
        string auditKey,
        Checkpoint checkpoint,
        StoredFile predictions,
        StoredFile? file
    )
    {
        var report = evaluated.Report;
        var leaked = audit.LeakedTestImages;
        var unleaked = leaked is null ? null : evaluated.AccuracyWithout(leaked);
        return new Catalog.Evaluation
        {
            RunId = run.Id,
            DatasetSha256 = run.DatasetSha256!,
            Trial = checkpoint.Trial,
            TestImages = report.Count,
            TestAccuracy = report.Accuracy.Value,
            TestAccuracyLow = report.Accuracy.Low,
            TestAccuracyHigh = report.Accuracy.High,
            TestLoss = report.CrossEntropy,
            TopK = report.TopK,
            TopKAccuracy = report.TopKAccuracy?.Value,
            MacroF1 = report.MacroF1,
            ConfusionMatrix = JsonSerializer.Serialize(report.Confusion),
            Temperature = evaluated.Temperature,
            CalibrationError = evaluated.Reliability.Error,
            UncalibratedError = evaluated.UncalibratedError,
            Reliability = JsonSerializer.Serialize(evaluated.Reliability.Bins, JsonSerializerOptions.Web),
            LeakedTestImages = leaked?.Count,
            UnleakedAccuracy = unleaked?.Value,
            UnleakedAccuracyLow = unleaked?.Low,
            UnleakedAccuracyHigh = unleaked?.High,
            AuditKey = auditKey,
            Predictions = predictions,
            HeadSha256 = checkpoint.File.Sha256,
            Report = file,
            CreatedAt = Now(),
        };
    }

    private async Task<Catalog.Ingestion> FindIngestionAsync(Run run, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Ingestions.AsNoTracking().SingleAsync(row => row.Key == run.IngestionKey, cancellationToken);
    }

    private async Task<Checkpoint> FindBestAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.BestHeads(runId).AsNoTracking().FirstAsync(cancellationToken);
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
