using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;

namespace Distributed.AdminApi.Listing;

/// <summary>The columns that lists show of a run, without the large ones.</summary>
internal sealed class RunColumns
{
    public required Guid RunId { get; init; }
    public required string? Name { get; init; }
    public required IReadOnlyList<string> Tags { get; init; }
    public required string? Note { get; init; }
    public required string? Submitter { get; init; }
    public required RunPriority Priority { get; init; }
    public required RunState State { get; init; }
    public required string? Failure { get; init; }
    public required FailureCause? FailureCause { get; init; }
    public required DateTime SubmittedAt { get; init; }
    public required DateTime? Deadline { get; init; }
    public required DateTime? IngestingAt { get; init; }
    public required DateTime? ExtractingAt { get; init; }
    public required DateTime? TrainingAt { get; init; }
    public required DateTime? EvaluatingAt { get; init; }
    public required DateTime? PredictingAt { get; init; }
    public required DateTime? FinishedAt { get; init; }
    public required string? Dataset { get; init; }
    public required string? DatasetSha256 { get; init; }
    public required string? DatasetName { get; init; }
    public required string? Base { get; init; }
    public required string? Origin { get; init; }
    public required string? HeadKind { get; init; }
    public required string? Model { get; init; }
    public required string? IngestionKey { get; init; }
    public required string? FeatureSetKey { get; init; }
    public required double? TestAccuracy { get; init; }
    public required double? TestAccuracyLow { get; init; }
    public required double? TestAccuracyHigh { get; init; }
    public required double? TestLoss { get; init; }
    public required double? MacroF1 { get; init; }
    public required double? CalibrationError { get; init; }

    /// <summary>The columns of some runs.</summary>
    public static IQueryable<RunColumns> Of(CatalogContext context, IQueryable<Run> runs) =>
        from run in runs
        join evaluation in context.Evaluations on run.Id equals evaluation.RunId into evaluations
        from evaluation in evaluations.DefaultIfEmpty()
        join dataset in context.Datasets on run.DatasetSha256 equals dataset.Sha256 into datasets
        from dataset in datasets.DefaultIfEmpty()
        join set in context.FeatureSets on run.FeatureSetKey equals set.Key into sets
        from set in sets.DefaultIfEmpty()
        join backbone in context.Backbones on set.BackboneSha256 equals backbone.Sha256 into backbones
        from backbone in backbones.DefaultIfEmpty()
        select new RunColumns
        {
            RunId = run.Id,
            Name = run.Name,
            Tags = run.Tags,
            Note = run.Note,
            Submitter = run.Submitter,
            Priority = run.Priority,
            State = run.State,
            Failure = run.Failure,
            FailureCause = run.FailureCause,
            SubmittedAt = run.SubmittedAt,
            Deadline = run.Deadline,
            IngestingAt = run.IngestingAt,
            ExtractingAt = run.ExtractingAt,
            TrainingAt = run.TrainingAt,
            EvaluatingAt = run.EvaluatingAt,
            PredictingAt = run.PredictingAt,
            FinishedAt = run.FinishedAt,
            Dataset = run.Dataset,
            DatasetSha256 = run.DatasetSha256,
            DatasetName = dataset == null ? null : dataset.Name,
            Base = run.Backbone,
            Origin = backbone == null ? null : backbone.Origin,
            HeadKind = run.HeadKind,
            Model = run.Model,
            IngestionKey = run.IngestionKey,
            FeatureSetKey = run.FeatureSetKey,
            TestAccuracy = evaluation == null ? null : evaluation.TestAccuracy,
            TestAccuracyLow = evaluation == null ? null : evaluation.TestAccuracyLow,
            TestAccuracyHigh = evaluation == null ? null : evaluation.TestAccuracyHigh,
            TestLoss = evaluation == null ? null : evaluation.TestLoss,
            MacroF1 = evaluation == null ? null : evaluation.MacroF1,
            CalibrationError = evaluation == null ? null : evaluation.CalibrationError,
        };

    /// <summary>What its progress is measured by.</summary>
    public OpenRun ToOpenRun() => new(RunId, State, IngestionKey, FeatureSetKey, DatasetSha256);

    /// <summary>What lists show.</summary>
    public RunSummary ToSummary(StageProgress? progress) =>
        new()
        {
            RunId = RunId,
            Name = Name,
            Tags = Tags,
            Note = Note,
            Submitter = Submitter,
            Priority = Priority,
            State = State,
            Progress = progress,
            Failure = Failure,
            FailureCause = FailureCause,
            SubmittedAt = SubmittedAt,
            Deadline = Deadline,
            FinishedAt = FinishedAt,
            Seconds = new StageSeconds(
                Run.SecondsBetween(IngestingAt, ExtractingAt),
                Run.SecondsBetween(ExtractingAt, TrainingAt ?? PredictingAt),
                Run.SecondsBetween(TrainingAt, EvaluatingAt),
                Run.SecondsBetween(EvaluatingAt, FinishedAt),
                Run.SecondsBetween(PredictingAt, FinishedAt),
                Run.SecondsBetween(SubmittedAt, FinishedAt)
            ),
            Dataset = Dataset,
            DatasetSha256 = DatasetSha256,
            DatasetName = DatasetName,
            Base = Base,
            Backbone = Origin,
            Head = Model is null ? HeadKind : null,
            Model = Model,
            TestAccuracy = TestAccuracy,
            TestAccuracyLow = TestAccuracyLow,
            TestAccuracyHigh = TestAccuracyHigh,
            TestLoss = TestLoss,
            MacroF1 = MacroF1,
            CalibrationError = CalibrationError,
        };
}
