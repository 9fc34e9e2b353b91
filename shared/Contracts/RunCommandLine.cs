using System.Globalization;

namespace Distributed.Contracts;

/// <summary>The command line of the one-process host that asks for a run; options at their defaults are left out.</summary>
public static class RunCommandLine
{
    /// <summary>What stands before the options.</summary>
    public const string Command = "dotnet run -c Release --project services/Standalone -- run";

    /// <summary>The options of a specification, each name followed by its value.</summary>
    public static IReadOnlyList<string> Arguments(RunSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        var defaults = new RunSpecification();
        var arguments = new List<string>();
        Add("--dataset", specification.Dataset, defaults.Dataset);
        Add("--backbone", specification.Backbone, defaults.Backbone);
        Add("--architecture", specification.Architecture, defaults.Architecture);
        Add("--input-size", specification.InputSize, defaults.InputSize);
        Add("--fit", specification.Fit.ToString().ToLowerInvariant(), defaults.Fit.ToString().ToLowerInvariant());
        Add("--precision", specification.Precision.ToString().ToLowerInvariant(), defaults.Precision.ToString().ToLowerInvariant());
        Add("--head", specification.Head.Kind.ToString().ToLowerInvariant(), defaults.Head.Kind.ToString().ToLowerInvariant());
        Add("--hidden-sizes", string.Join(',', specification.Head.HiddenSizes), string.Join(',', defaults.Head.HiddenSizes));
        Add("--dropout", specification.Head.Dropout, defaults.Head.Dropout);
        Add("--optimizer", specification.Training.Optimizer.ToString().ToLowerInvariant(), defaults.Training.Optimizer.ToString().ToLowerInvariant());
        Add("--penalties", string.Join(',', specification.Training.Penalties.Select(penalty => penalty.ToString(CultureInfo.InvariantCulture))), "");
        Add("--epochs", specification.Training.Epochs, defaults.Training.Epochs);
        Add("--batch-size", specification.Training.BatchSize, defaults.Training.BatchSize);
        Add("--learning-rate", specification.Training.LearningRate, defaults.Training.LearningRate);
        Add("--weight-decay", specification.Training.WeightDecay, defaults.Training.WeightDecay);
        Add("--patience", specification.Training.Patience, defaults.Training.Patience);
        Add("--validation-fraction", specification.ValidationFraction, defaults.ValidationFraction);
        Add("--test-fraction", specification.TestFraction, defaults.TestFraction);
        Add("--fold", specification.Fold, defaults.Fold);
        Add("--seed", specification.Seed, defaults.Seed);
        Add("--split-seed", specification.SplitSeed, defaults.SplitSeed);
        Add("--top-k", specification.TopK, defaults.TopK);
        Add("--report", specification.Report ? "true" : "false", "true");
        return arguments;

        void Add<T>(string name, T value, T usual)
        {
            if (!EqualityComparer<T>.Default.Equals(value, usual))
            {
                arguments.Add(name);
                arguments.Add(Convert.ToString(value, CultureInfo.InvariantCulture)!);
            }
        }
    }

    /// <summary>The whole command, quoted for a POSIX shell.</summary>
    public static string Write(RunSpecification specification) =>
        string.Join(' ', Arguments(specification).Select(Quote).Prepend(Command));

    private static string Quote(string argument) =>
        argument.Length > 0 && argument.All(character => char.IsAsciiLetterOrDigit(character) || "-_./,:=".Contains(character, StringComparison.Ordinal))
            ? argument
            : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
