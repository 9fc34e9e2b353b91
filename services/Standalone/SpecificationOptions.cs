using System.CommandLine;
using System.Globalization;
using Distributed.Contracts;

namespace Distributed.Standalone;

/// <summary>The options that say what to run; their defaults are those of the specification.</summary>
internal sealed class SpecificationOptions
{
    private static readonly RunSpecification Defaults = new();

    private readonly Option<string> _dataset;
    private readonly Option<string> _backbone;
    private readonly Option<string?> _architecture;
    private readonly Option<int> _inputSize;
    private readonly Option<string> _fit;
    private readonly Option<string> _precision;
    private readonly Option<string> _head;
    private readonly Option<string> _hiddenSizes;
    private readonly Option<double> _dropout;
    private readonly Option<string> _optimizer;
    private readonly Option<string> _penalties;
    private readonly Option<int> _epochs;
    private readonly Option<int> _batchSize;
    private readonly Option<double> _learningRate;
    private readonly Option<double> _weightDecay;
    private readonly Option<int> _patience;
    private readonly Option<double> _validationFraction;
    private readonly Option<double> _testFraction;
    private readonly Option<int?> _fold;
    private readonly Option<int> _seed;
    private readonly Option<int> _splitSeed;
    private readonly Option<int> _topK;
    private readonly Option<string> _priority;
    private readonly Option<int?> _timeLimit;
    private readonly Option<bool> _report;
    private readonly Option<string?> _name;
    private readonly Option<string[]> _tags;
    private readonly Option<string?> _submitter;

    public SpecificationOptions(Command command)
    {
        _dataset = Add("--dataset", Defaults.Dataset, "sample, stl10, or the path of a folder or archive: STL-10's binary files, or class folders of images", "sample|stl10|PATH");
        _backbone = Add("--backbone", Defaults.Backbone, "demo (shipped), imagenet (downloaded), random, or the path of a .safetensors or .pth file", "demo|imagenet|random|PATH");
        _architecture = Add("--architecture", Defaults.Architecture, "The network that the weights must be of: densenet121, densenet169, densenet201, densenet161; that of the file where absent", "NAME");
        _inputSize = Add("--input-size", Defaults.InputSize, "Side in pixels that images are brought to", "N");
        _fit = Choice("--fit", Defaults.Fit, "How images that are no squares become squares");
        _precision = Choice("--precision", Defaults.Precision, "Arithmetic of the feature extraction");
        _head = Choice("--head", Defaults.Head.Kind, "The head to train");
        _hiddenSizes = Add("--hidden-sizes", string.Join(',', Defaults.Head.HiddenSizes), "Widths of an mlp head's dense layers", "N,N,…");
        _dropout = Add("--dropout", Defaults.Head.Dropout, "Share of a dense layer's outputs that an mlp head drops in training", "X");
        _optimizer = Choice("--optimizer", Defaults.Training.Optimizer, "Newton's method for linear heads (auto, unless one of Adam's settings below is given), or Adam");
        _penalties = Add("--penalties", "", "L2 penalties for Newton's method to choose from, in falling order; 30 from 10 to 1e-6 where none are given", "X,X,…");
        _epochs = Add("--epochs", Defaults.Training.Epochs, "Adam: most passes over the training images", "N");
        _batchSize = Add("--batch-size", Defaults.Training.BatchSize, "Adam: images a step", "N");
        _learningRate = Add("--learning-rate", Defaults.Training.LearningRate, "Adam: step size", "X");
        _weightDecay = Add("--weight-decay", Defaults.Training.WeightDecay, "Adam: L2 penalty", "X");
        _patience = Add("--patience", Defaults.Training.Patience, "Adam: epochs without a better validation score before training stops", "N");
        _validationFraction = Add("--validation-fraction", Defaults.ValidationFraction, "Share of training images held out for validation where none is given", "X");
        _testFraction = Add("--test-fraction", Defaults.TestFraction, "Share of images held out for testing where none is given", "X");
        _fold = Add("--fold", Defaults.Fold, "Train on this official fold only (STL-10: 0 to 9)", "N");
        _seed = Add("--seed", Defaults.Seed, "Decides first weights, batches and dropout", "N");
        _splitSeed = Add("--split-seed", Defaults.SplitSeed, "Decides the splits that are drawn, and the sample set", "N");
        _topK = Add("--top-k", Defaults.TopK, "Guesses that count for the top-k accuracy", "N");
        _priority = Choice("--priority", Defaults.Priority, "Whose work is done first where several runs are under way on the volume");
        _timeLimit = Add("--time-limit", Defaults.TimeLimit, "Fail the run unless it is complete after so many seconds", "SECONDS");
        _report = Add("--report", Defaults.Report, "Whether a report is written; the figures are shown in any case", "true|false");
        _name = Add<string?>("--name", null, "A name for the run", "TEXT");
        _tags = new Option<string[]>("--tag") { Description = "A label for the run; may be repeated", HelpName = "TEXT", DefaultValueFactory = _ => [] };
        command.Add(_tags);
        _submitter = Add<string?>("--submitter", null, "Who asks for the run", "TEXT");

        Option<T> Add<T>(string name, T value, string description, string helpName)
        {
            var option = new Option<T>(name) { Description = description, HelpName = helpName };
            if (value is not null)
            {
                option.DefaultValueFactory = _ => value;
            }

            command.Add(option);
            return option;
        }

        Option<string> Choice<T>(string name, T value, string description)
            where T : struct, Enum
        {
            var names = Enum.GetNames<T>().Select(choice => choice.ToLowerInvariant()).ToArray();
            var option = Add(name, value.ToString().ToLowerInvariant(), description, string.Join('|', names));
            option.AcceptOnlyFromAmong(names);
            return option;
        }
    }

    /// <summary>The specification that the options ask for.</summary>
    /// <exception cref="CommandException">A value is out of its range.</exception>
    public RunSpecification Read(ParseResult result)
    {
        var specification = new RunSpecification
        {
            Name = result.GetValue(_name),
            Tags = result.GetValue(_tags)!,
            Submitter = result.GetValue(_submitter),
            Dataset = ResolvePath(result.GetValue(_dataset)!, "sample", "stl10"),
            Backbone = ResolvePath(result.GetValue(_backbone)!, "demo", "imagenet", "random"),
            Architecture = result.GetValue(_architecture),
            InputSize = result.GetValue(_inputSize),
            Fit = Parse<ImageFit>(result.GetValue(_fit)!),
            Precision = Parse<ExtractionPrecision>(result.GetValue(_precision)!),
            Head = new HeadSpecification
            {
                Kind = Parse<HeadType>(result.GetValue(_head)!),
                HiddenSizes = ParseSizes(result.GetValue(_hiddenSizes)!),
                Dropout = result.GetValue(_dropout),
            },
            Training = new TrainingSpecification
            {
                Optimizer = Parse<HeadOptimizer>(result.GetValue(_optimizer)!),
                Penalties = ParsePenalties(result.GetValue(_penalties)!),
                Epochs = result.GetValue(_epochs),
                BatchSize = result.GetValue(_batchSize),
                LearningRate = result.GetValue(_learningRate),
                WeightDecay = result.GetValue(_weightDecay),
                Patience = result.GetValue(_patience),
            },
            ValidationFraction = result.GetValue(_validationFraction),
            TestFraction = result.GetValue(_testFraction),
            Fold = result.GetValue(_fold),
            Seed = result.GetValue(_seed),
            SplitSeed = result.GetValue(_splitSeed),
            TopK = result.GetValue(_topK),
            Priority = Parse<RunPriority>(result.GetValue(_priority)!),
            TimeLimit = result.GetValue(_timeLimit),
            Report = result.GetValue(_report),
        };
        var errors = RunSpecificationRules.Validate(specification);
        return errors.Count == 0
            ? specification
            : throw new CommandException(string.Join("; ", errors.Select(error => $"{error.Field} {error.Message}")));
    }

    private static T Parse<T>(string name)
        where T : struct, Enum => Enum.Parse<T>(name, ignoreCase: true);

    // An address stays one, so that the error names it as it was given.
    private static string ResolvePath(string value, params ReadOnlySpan<string> names) =>
        names.Contains(value) || value.Contains("://", StringComparison.Ordinal) ? value : Path.GetFullPath(value);

    private static double[] ParsePenalties(string text)
    {
        var penalties = new List<double>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            penalties.Add(double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var penalty)
                ? penalty
                : throw new CommandException($"--penalties has '{part}'; give numbers in falling order, as in 1,0.1,0.01."));
        }

        return [.. penalties];
    }

    private static int[] ParseSizes(string text)
    {
        var sizes = new List<int>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            sizes.Add(int.TryParse(part, out var size) ? size : throw new CommandException($"--hidden-sizes has '{part}'; give whole numbers, as in 512,128."));
        }

        return [.. sizes];
    }
}
