namespace Distributed.Evaluation.Reporting;

internal static class ClassNames
{
    /// <summary>The name of a label; its number where it has none, so that a report can still be written.</summary>
    public static string Class(this ReportModel model, int label) =>
        label >= 0 && label < model.Dataset.ClassNames.Count && !string.IsNullOrWhiteSpace(model.Dataset.ClassNames[label])
            ? model.Dataset.ClassNames[label]
            : $"class {label}";
}
