using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Storage;

namespace Distributed.AdminApi.Tests;

/// <summary>Rows of the catalog that tests look at through the API.</summary>
internal static class CatalogRows
{
    public static readonly DateTime Noon = new(2026, 1, 2, 12, 0, 0, DateTimeKind.Utc);

    public static Run Run(
        RunSpecification? specification = null,
        RunState state = RunState.Completed,
        DateTime? submittedAt = null,
        double? seconds = null
    )
    {
        specification ??= new RunSpecification();
        var submitted = submittedAt ?? Noon;
        return new Run
        {
            Id = Guid.CreateVersion7(new DateTimeOffset(submitted)),
            Name = specification.Name,
            Tags = specification.Tags,
            Submitter = specification.Submitter,
            Priority = specification.Priority,
            Specification = ContractJson.Write(specification),
            State = state,
            SubmittedAt = submitted,
            FinishedAt = state.IsFinal() ? submitted.AddSeconds(seconds ?? 10) : null,
            EndPublishedAt = submitted,
        };
    }

    public static Evaluation Evaluation(Run run, double accuracy, StoredFile? predictions = null, string audit = "audit") =>
        new()
        {
            RunId = run.Id,
            DatasetSha256 = run.DatasetSha256 ?? "d",
            Trial = 0,
            TestImages = 100,
            TestAccuracy = accuracy,
            TestAccuracyLow = accuracy - 0.1,
            TestAccuracyHigh = accuracy + 0.1,
            TestLoss = 1 - accuracy,
            TopK = 2,
            TopKAccuracy = null,
            MacroF1 = accuracy - 0.01,
            ConfusionMatrix = "[]",
            Temperature = 1,
            CalibrationError = 0.02,
            UncalibratedError = 0.03,
            Reliability = "[]",
            LeakedTestImages = 0,
            UnleakedAccuracy = null,
            UnleakedAccuracyLow = null,
            UnleakedAccuracyHigh = null,
            AuditKey = audit,
            Predictions = predictions ?? new StoredFile($"runs/{run.Id:D}/predictions.json", 1, "00"),
            HeadSha256 = "00",
            Report = null,
            CreatedAt = Noon,
        };
}
