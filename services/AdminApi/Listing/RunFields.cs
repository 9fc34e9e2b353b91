using System.Globalization;
using System.Linq.Expressions;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;

namespace Distributed.AdminApi.Listing;

/// <summary>All that runs can be filtered and sorted by: what a run is, its settings as their one description has them, and its metrics.</summary>
internal static class RunFields
{
    /// <summary>The order of a list that asks for none.</summary>
    public const string Usual = "submitted";

    private static readonly string[] Equality = ["=", "!="];
    private static readonly string[] Ordered = ["=", "!=", ">", ">=", "<", "<="];
    private static readonly string[] Textual = ["=", "!=", "~"];

    /// <summary>All fields, those of the run first.</summary>
    public static IReadOnlyList<RunField> All { get; } =
    [.. OfRun(), .. RunSettings.All.Where(IsOnlySetting).Select(OfSetting), .. OfResult()];

    private static Dictionary<string, RunField> ByName { get; } = All.ToDictionary(field => field.Name, StringComparer.Ordinal);

    /// <summary>A field by its name; null where there is none.</summary>
    public static RunField? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>What is wrong with a name that is none, and which was meant.</summary>
    public static string Unknown(string name) =>
        $"there is no field '{RunSpecificationRules.Shown(name)}'; "
        + (
            StrictText.Nearest(name, All.Select(field => field.Name)) is { } nearest
                ? $"did you mean {nearest}?"
                : "GET /api/v1/runs/fields lists them"
        );

    private static IEnumerable<RunField> OfRun()
    {
        yield return Choice("state", "Where the run is", row => (RunState?)row.Run.State);
        yield return Flag("open", "Whether it has not ended", row => (bool?)RunStates.Open.Contains(row.Run.State));
        yield return Text("name", "Name for people", row => row.Run.Name, row => row.Run.LowerName);
        yield return new RunTags
        {
            Name = "tags",
            Help = "Labels; a filter asks for one of them",
            Source = RunFieldSource.Run,
            Type = "list",
            Allowed = "a tag",
        };
        yield return Text("note", "What people should know of it", row => row.Run.Note);
        yield return Text("submitter", "Who asked for it", row => row.Run.Submitter);
        yield return Choice("priority", "Whose work is done first", row => (RunPriority?)row.Run.Priority);
        yield return Choice("failureCause", "What kind of thing it failed for", row => row.Run.FailureCause);
        yield return Text("failure", "Why it failed", row => row.Run.Failure);
        yield return Time(Usual, "When it was accepted", row => (DateTime?)row.Run.SubmittedAt, isAlwaysThere: true);
        yield return Time("finished", "When it ended", row => row.Run.FinishedAt);
        yield return Number("duration", "Seconds from its submission to its end", RunFieldSource.Run, row => row.Run.Seconds);
        yield return Text("datasetSha256", "Its data set, by content", row => row.DatasetSha256);
        yield return Flag("featureCacheHit", "Whether all its features were there when it was planned", row => row.Run.FeatureCacheHit);
        yield return Number("trainImages", "Images in its training split", RunFieldSource.Run, row => (double?)row.Run.TrainImages);
        yield return Number(
            "validationImages",
            "Images in its validation split",
            RunFieldSource.Run,
            row => (double?)row.Run.ValidationImages
        );
        yield return Number("testImages", "Images in its test split", RunFieldSource.Run, row => (double?)row.Run.TestImages);
        yield return Text(nameof(RunSpecification.Dataset), row => row.Run.Dataset);
        yield return Text(nameof(RunSpecification.Backbone), row => row.Run.Backbone);
        yield return Text(nameof(RunSpecification.Model), row => row.Run.Model);
        yield return OfText(RunSettings.Find("head.kind")!, row => row.Run.HeadKind);
    }

    private static IEnumerable<RunField> OfResult()
    {
        yield return Metric("accuracy", "Share of the test images classified rightly", row => (double?)row.Evaluation!.TestAccuracy);
        yield return Metric("accuracyLow", "Lower end of its 95 % interval", row => (double?)row.Evaluation!.TestAccuracyLow);
        yield return Metric("accuracyHigh", "Upper end of its 95 % interval", row => (double?)row.Evaluation!.TestAccuracyHigh);
        yield return Metric("loss", "Mean cross-entropy on the test images", row => (double?)row.Evaluation!.TestLoss);
        yield return Metric("macroF1", "Unweighted mean of the classes' F1", row => (double?)row.Evaluation!.MacroF1);
        yield return Metric("calibrationError", "Expected calibration error", row => (double?)row.Evaluation!.CalibrationError);
        yield return Metric("uncalibratedError", "The same without the temperature", row => (double?)row.Evaluation!.UncalibratedError);
        yield return Number(
            "topKAccuracy",
            "Share with the true class among the first k",
            RunFieldSource.Metric,
            row => row.Evaluation!.TopKAccuracy
        );
        yield return Number(
            "unleakedAccuracy",
            "Accuracy on the test images without near duplicates among the others",
            RunFieldSource.Metric,
            row => row.Evaluation!.UnleakedAccuracy
        );
        yield return Number(
            "leakedTestImages",
            "Test images with near duplicates among the others",
            RunFieldSource.Metric,
            row => (double?)row.Evaluation!.LeakedTestImages
        );
    }

    /// <summary>Those that are no column of their own, nor called otherwise after the submission.</summary>
    private static bool IsOnlySetting(RunSetting setting) =>
        setting.Field is not ("name" or "tags" or "submitter" or "priority" or "dataset" or "backbone" or "model" or "head.kind");

    private static RunField OfSetting(RunSetting setting)
    {
        // What came after the first version is left out of a specification where it is at its default.
        var usual = setting.Since > 1 ? setting.ValueOf(new RunSpecification()) : null;
        var row = Expression.Parameter(typeof(RunRow), "row");
        return setting.Kind switch
        {
            SettingKind.WholeNumber or SettingKind.Number => new RunField<double?>(
                Value<double?>(nameof(SpecificationFunctions.NumberOf), Convert.ToDouble(usual ?? 0.0, CultureInfo.InvariantCulture)),
                (string text, out string wrong) =>
                    setting.Parse(text, out wrong) is { } number ? Convert.ToDouble(number, CultureInfo.InvariantCulture) : null,
                Ordered
            )
            {
                Name = setting.Field,
                Help = setting.Help,
                Source = RunFieldSource.Setting,
                Type = Described(setting),
                Allowed = setting.Allowed,
            },
            SettingKind.Flag => new RunField<bool?>(
                Value<bool?>(nameof(SpecificationFunctions.FlagOf), usual),
                (string text, out string wrong) => (bool?)setting.Parse(text, out wrong),
                Equality
            )
            {
                Name = setting.Field,
                Help = setting.Help,
                Source = RunFieldSource.Setting,
                Type = Described(setting),
                Allowed = setting.Allowed,
            },
            _ => OfText(setting, Value<string?>(nameof(SpecificationFunctions.TextOf), usual is null ? null : TextOf(usual))),
        };

        Expression<Func<RunRow, T>> Value<T>(string function, object? otherwise)
        {
            Expression body = Expression.Call(
                typeof(SpecificationFunctions),
                function,
                typeArguments: null,
                Expression.Property(Expression.Property(row, nameof(RunRow.Run)), nameof(Run.Specification)),
                Expression.Constant(setting.Field)
            );
            return Expression.Lambda<Func<RunRow, T>>(
                usual is null ? body : Expression.Coalesce(body, Expression.Constant(otherwise, typeof(T))),
                row
            );
        }
    }

    private static RunField<string?> OfText(RunSetting setting, Expression<Func<RunRow, string?>> value) =>
        new(
            value,
            (string text, out string wrong) => setting.Parse(text, out wrong) is { } read ? TextOf(read) : null,
            setting.Kind == SettingKind.Text ? Textual : Equality
        )
        {
            Name = setting.Field,
            Help = setting.Help,
            Source = RunFieldSource.Setting,
            Type = Described(setting),
            Allowed = setting.Allowed,
            Choices = setting.Choices,
        };

    /// <summary>A value as a specification's JSON has it: a text without its quotation marks, a list with its brackets.</summary>
    private static string TextOf(object value) =>
        value switch
        {
            string text => text,
            Enum choice => ChoiceName.Of(choice),
            _ => JsonSerializer.Serialize(value, value.GetType(), ContractJson.Strict),
        };

    private static string Described(RunSetting setting) => JsonNamingPolicy.CamelCase.ConvertName($"{setting.Kind}");

    private static RunField<string?> Text(string member, Expression<Func<RunRow, string?>> value) =>
        OfText(RunSettings.Find(JsonNamingPolicy.CamelCase.ConvertName(member))!, value);

    private static RunField<string?> Text(
        string name,
        string help,
        Expression<Func<RunRow, string?>> value,
        Expression<Func<RunRow, string?>>? lowerCase = null
    ) =>
        new(
            value,
            (string text, out string wrong) =>
            {
                wrong =
                    text.Any(char.IsControl) ? "has a control character"
                    : text.Length == 0 ? "is empty"
                    : "";
                return wrong.Length == 0 ? text : null;
            },
            Textual
        )
        {
            Name = name,
            Help = help,
            Source = RunFieldSource.Run,
            Type = "text",
            Allowed = "a text",
            LowerCase = lowerCase,
        };

    private static RunField<double?> Metric(string name, string help, Expression<Func<RunRow, double?>> value) =>
        Number(name, help, RunFieldSource.Metric, value, isAlwaysThere: true);

    private static RunField<double?> Number(
        string name,
        string help,
        RunFieldSource source,
        Expression<Func<RunRow, double?>> value,
        bool isAlwaysThere = false
    ) =>
        new(
            value,
            (string text, out string wrong) =>
            {
                var isNumber = StrictText.TryParseNumber(text, out var number);
                wrong = isNumber ? "" : $"is '{RunSpecificationRules.Shown(text)}'";
                return isNumber ? number : null;
            },
            Ordered
        )
        {
            Name = name,
            Help = help,
            Source = source,
            Type = "number",
            Allowed = "a number",
            IsAlwaysThere = isAlwaysThere,
        };

    private static RunField<bool?> Flag(string name, string help, Expression<Func<RunRow, bool?>> value) =>
        new(
            value,
            (string text, out string wrong) =>
            {
                var isFlag = StrictText.TryParseBoolean(text, out var flag);
                wrong = isFlag ? "" : $"is '{RunSpecificationRules.Shown(text)}'";
                return isFlag ? flag : null;
            },
            Equality
        )
        {
            Name = name,
            Help = help,
            Source = RunFieldSource.Run,
            Type = "flag",
            Allowed = "true or false",
        };

    private static RunField<DateTime?> Time(
        string name,
        string help,
        Expression<Func<RunRow, DateTime?>> value,
        bool isAlwaysThere = false
    ) =>
        new(
            value,
            (string text, out string wrong) =>
            {
                var isTime = DateTimeOffset.TryParseExact(
                    text,
                    ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"],
                    CultureInfo.InvariantCulture,
                    DateTimeStyles.AssumeUniversal,
                    out var time
                );
                wrong = isTime ? "" : $"is '{RunSpecificationRules.Shown(text)}'";
                return isTime ? time.UtcDateTime : null;
            },
            Ordered
        )
        {
            Name = name,
            Help = help,
            Source = RunFieldSource.Run,
            Type = "time",
            Allowed = "a day or time such as 2026-01-02 or 2026-01-02T12:00:00Z",
            IsAlwaysThere = isAlwaysThere,
        };

    private static RunField<T?> Choice<T>(string name, string help, Expression<Func<RunRow, T?>> value)
        where T : struct, Enum
    {
        string[] names = [.. Enum.GetNames<T>().Select(JsonNamingPolicy.CamelCase.ConvertName)];
        return new RunField<T?>(
            value,
            (string text, out string wrong) =>
            {
                var isOne = names.Contains(text, StringComparer.OrdinalIgnoreCase);
                wrong = isOne ? "" : $"is '{RunSpecificationRules.Shown(text)}'";
                return isOne ? Enum.Parse<T>(text, ignoreCase: true) : null;
            },
            Equality
        )
        {
            Name = name,
            Help = help,
            Source = RunFieldSource.Run,
            Type = "choice",
            Allowed = string.Join(", ", names),
            Choices = names,
        };
    }
}
