using System.Globalization;
using System.Text.Json;

namespace Distributed.Contracts;

/// <summary>All settings of a run.</summary>
public static class RunSettings
{
    private const int LongestTimeLimit = 30 * 24 * 60 * 60;
    private const int LongestLabel = 200;
    private const int LongestPath = 4096;
    private const int LongestTag = 100;
    private const int MostTags = 20;

    private static readonly string[] Architectures = ["densenet121", "densenet169", "densenet201", "densenet161"];

    /// <summary>In the order in which help lists them.</summary>
    public static IReadOnlyList<RunSetting> All { get; } =
    [
        Path("dataset", "--dataset", ["sample", "stl10"], run => run.Dataset) with
        {
            Help = "sample, stl10, or the path of a folder or archive: STL-10's binary files, or class folders of images",
        },
        Path("backbone", "--backbone", ["demo", "imagenet", "random"], run => run.Backbone) with
        {
            Help = "demo (shipped), imagenet (downloaded), random, or the path of a .safetensors or .pth file",
        },
        Choice("architecture", "--architecture", Architectures, run => run.Architecture) with
        {
            Help = "The network that the weights must be of; that of the file where absent",
            Placeholder = "NAME",
            IsOptional = true,
        },
        Integer("inputSize", "--input-size", 32, 1024, run => run.InputSize) with
        {
            Help = "Side in pixels that images are brought to; not given, 96 for the backbones demo and random, else 224",
        },
        Choice<ImageFit>("fit", "--fit", run => run.Fit) with
        {
            Help = "How images that are no squares become squares",
        },
        Choice<ExtractionPrecision>("precision", "--precision", run => run.Precision) with
        {
            Help = "Arithmetic of the feature extraction",
        },
        Choice<HeadType>("head.kind", "--head", run => run.Head.Kind) with
        {
            Help = "The head to train",
        },
        List(
            "head.hiddenSizes",
            "--hidden-sizes",
            SettingReader.Integer,
            "a list of 1 to 4 whole numbers from 1 to 8192",
            run => run.Head.HiddenSizes?.Cast<object>(),
            CheckSizes
        ) with
        {
            Help = "Widths of an mlp head's dense layers",
            Placeholder = "N,N,…",
        },
        Number("head.dropout", "--dropout", "from 0 to below 1", value => value is >= 0 and < 1, run => run.Head.Dropout) with
        {
            Help = "Share of a dense layer's outputs that an mlp head drops in training",
        },
        Choice<HeadOptimizer>("training.optimizer", "--optimizer", run => run.Training.Optimizer) with
        {
            Help = "Newton's method for linear heads (auto, unless one of Adam's settings below is given), or Adam",
        },
        List(
            "training.penalties",
            "--penalties",
            SettingReader.Number,
            "a list of at most 100 numbers above 0, up to 1e6, in falling order",
            run => run.Training.Penalties?.Cast<object>(),
            CheckPenalties
        ) with
        {
            Help = "L2 penalties for Newton's method to choose from, in falling order; 30 from 10 to 1e-6 where none are given",
            Placeholder = "X,X,…",
        },
        Integer("training.epochs", "--epochs", 1, 10_000, run => run.Training.Epochs) with
        {
            Help = "Adam: most passes over the training images",
        },
        Integer("training.batchSize", "--batch-size", 1, 65_536, run => run.Training.BatchSize) with
        {
            Help = "Adam: images a step",
        },
        Number(
            "training.learningRate",
            "--learning-rate",
            "above 0, up to 10",
            value => value is > 0 and <= 10,
            run => run.Training.LearningRate
        ) with
        {
            Help = "Adam: step size",
        },
        Number(
            "training.weightDecay",
            "--weight-decay",
            "from 0 to 10",
            value => value is >= 0 and <= 10,
            run => run.Training.WeightDecay
        ) with
        {
            Help = "Adam: L2 penalty",
        },
        Integer("training.patience", "--patience", 1, 10_000, run => run.Training.Patience) with
        {
            Help = "Adam: epochs without a better validation score before training stops",
        },
        Number(
            "validationFraction",
            "--validation-fraction",
            "from 0 to 0.9",
            value => value is >= 0 and <= 0.9,
            run => run.ValidationFraction
        ) with
        {
            Help = "Share of training images held out for validation where none is given",
        },
        Number("testFraction", "--test-fraction", "from 0.001 to 0.9", value => value is >= 0.001 and <= 0.9, run => run.TestFraction) with
        {
            Help = "Share of images held out for testing where none is given",
        },
        Integer("fold", "--fold", 0, 1000, run => run.Fold) with
        {
            Help = "Train on this official fold only (STL-10: 0 to 9)",
            IsOptional = true,
        },
        Integer("seed", "--seed", int.MinValue, int.MaxValue, run => run.Seed) with
        {
            Help = "Decides first weights, batches and dropout",
        },
        Integer("splitSeed", "--split-seed", int.MinValue, int.MaxValue, run => run.SplitSeed) with
        {
            Help = "Decides the splits that are drawn, and the sample set",
        },
        Integer("topK", "--top-k", 1, 100, run => run.TopK) with
        {
            Help = "Guesses that count for the top-k accuracy",
        },
        Choice<RunPriority>("priority", "--priority", run => run.Priority) with
        {
            Help = "Whose work is done first where several runs are under way",
            IsLabel = true,
        },
        Integer("timeLimit", "--time-limit", 1, LongestTimeLimit, run => run.TimeLimit) with
        {
            Help = "Fail the run unless it is complete after so many seconds",
            Placeholder = "SECONDS",
            IsOptional = true,
            IsLabel = true,
        },
        new("report", "--report", SettingReader.Boolean, "true or false", run => run.Report, _ => null)
        {
            Help = "Whether a report is written; the figures are shown in any case",
            Placeholder = "true|false",
        },
        Number("maxSkipped", "--max-skipped", "from 0 to 1", value => value is >= 0 and <= 1, run => run.MaxSkipped) with
        {
            Help = "Fail the run where more than this share of the data set's files cannot be used",
        },
        Label("name", "--name", run => run.Name) with
        {
            Help = "A name for the run",
        },
        new(
            "tags",
            "--tag",
            SettingReader.ListOf(SettingReader.Text),
            $"a list of at most {MostTags} texts of 1 to {LongestTag} characters, none of them a control character",
            run => run.Tags?.Cast<object>().ToList(),
            CheckTags
        )
        {
            Help = "A label for the run; may be repeated",
            Placeholder = "TEXT",
            IsRepeated = true,
            IsLabel = true,
        },
        Label("submitter", "--submitter", run => run.Submitter) with
        {
            Help = "Who asks for the run",
        },
    ];

    /// <summary>The setting of a field; null where there is none.</summary>
    /// <param name="field">Its path in JSON.</param>
    public static RunSetting? Find(string field) =>
        All.FirstOrDefault(setting => string.Equals(setting.Field, field, StringComparison.Ordinal));

    private static RunSetting Integer(string field, string option, int least, int most, Func<RunSpecification, int?> get) =>
        new(
            field,
            option,
            SettingReader.Integer,
            $"a whole number from {least.ToString(CultureInfo.InvariantCulture)} to {most.ToString(CultureInfo.InvariantCulture)}",
            run => get(run),
            value => (int)value >= least && (int)value <= most ? null : $"is {RunSetting.Show(value)}"
        )
        {
            Help = "",
            Placeholder = "N",
        };

    private static RunSetting Number(
        string field,
        string option,
        string range,
        Func<double, bool> isAllowed,
        Func<RunSpecification, double> get
    ) =>
        new(
            field,
            option,
            SettingReader.Number,
            $"a number {range}",
            run => get(run),
            value => isAllowed((double)value) ? null : $"is {RunSetting.Show(value)}"
        )
        {
            Help = "",
            Placeholder = "X",
        };

    private static RunSetting Choice<T>(string field, string option, Func<RunSpecification, T> get)
        where T : struct, Enum =>
        Choice(
            field,
            option,
            [.. Enum.GetNames<T>().Select(JsonNamingPolicy.CamelCase.ConvertName)],
            run => JsonNamingPolicy.CamelCase.ConvertName(get(run).ToString())
        );

    private static RunSetting Choice(string field, string option, IReadOnlyList<string> names, Func<RunSpecification, string?> get) =>
        new(
            field,
            option,
            SettingReader.OneOf(names),
            $"{string.Join(", ", names.SkipLast(1))} or {names[^1]}",
            get,
            value => names.Contains((string)value, StringComparer.Ordinal) ? null : $"is {RunSetting.Show(value)}"
        )
        {
            Help = "",
            Placeholder = string.Join('|', names),
        };

    private static RunSetting List(
        string field,
        string option,
        SettingReader entry,
        string allowed,
        Func<RunSpecification, IEnumerable<object>?> get,
        Func<IReadOnlyList<object>, bool> isAllowed
    ) =>
        new(
            field,
            option,
            SettingReader.ListOf(entry),
            allowed,
            run => get(run)?.ToList(),
            value => isAllowed((IReadOnlyList<object>)value) ? null : $"is [{RunSetting.Show(value)}]"
        )
        {
            Help = "",
            Placeholder = "",
        };

    private static RunSetting Path(string field, string option, IReadOnlyList<string> words, Func<RunSpecification, string?> get) =>
        new(
            field,
            option,
            SettingReader.Text,
            $"{string.Join(", ", words)} or a path of at most {LongestPath} characters, none of them a control character",
            get,
            value => string.IsNullOrWhiteSpace((string)value) ? "is empty" : CheckText((string)value, LongestPath)
        )
        {
            Help = "",
            Placeholder = $"{string.Join('|', words)}|PATH",
            Words = words,
        };

    private static RunSetting Label(string field, string option, Func<RunSpecification, string?> get) =>
        new(
            field,
            option,
            SettingReader.Text,
            $"a text of at most {LongestLabel} characters, none of them a control character",
            get,
            value => CheckText((string)value, LongestLabel)
        )
        {
            Help = "",
            Placeholder = "TEXT",
            IsOptional = true,
            IsLabel = true,
        };

    /// <summary>Databases and pages refuse some control characters.</summary>
    private static string? CheckText(string text, int longest) =>
        text.Length > longest ? $"has {text.Length} characters"
        : text.Any(char.IsControl) ? "has a control character, such as a line break"
        : null;

    private static string? CheckTags(object value)
    {
        var tags = (IReadOnlyList<object>)value;
        return tags.Count > MostTags ? $"has {tags.Count} entries"
            : tags.FirstOrDefault(tag =>
                tag is not string { Length: <= LongestTag } text || string.IsNullOrWhiteSpace(text) || text.Any(char.IsControl)
            )
                is { } wrong
                ? $"has the entry {RunSetting.Show(wrong)}"
            : tags.Contains(null!) ? "has an entry that is null"
            : null;
    }

    private static bool CheckSizes(IReadOnlyList<object> sizes) =>
        sizes.Count is >= 1 and <= 4 && sizes.All(size => size is >= 1 and <= 8192);

    private static bool CheckPenalties(IReadOnlyList<object> penalties) =>
        penalties.Count <= 100
        && penalties.All(penalty => penalty is > 0.0 and <= 1e6)
        && penalties.Zip(penalties.Skip(1)).All(pair => (double)pair.First > (double)pair.Second);
}
