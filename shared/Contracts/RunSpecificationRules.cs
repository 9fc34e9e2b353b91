namespace Distributed.Contracts;

/// <summary>One thing that is wrong with a specification.</summary>
/// <param name="Field">The JSON path of the field, as in <c>training.learningRate</c>.</param>
/// <param name="Message">The value found and what is allowed.</param>
public sealed record SpecificationError(string Field, string Message);

/// <summary>The ranges that a run specification must keep.</summary>
public static class RunSpecificationRules
{
    private const int LongestTimeLimit = 30 * 24 * 60 * 60;

    private static readonly string[] Architectures = ["densenet121", "densenet169", "densenet201", "densenet161"];

    /// <summary>The method that <see cref="HeadOptimizer.Auto"/> stands for.</summary>
    public static HeadOptimizer ResolveOptimizer(this RunSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        return specification.Training.Optimizer != HeadOptimizer.Auto ? specification.Training.Optimizer
            : specification.Head.Kind == HeadType.Linear && !HasAdamSettings(specification.Training) ? HeadOptimizer.Newton
            : HeadOptimizer.Adam;
    }

    private static bool HasAdamSettings(TrainingSpecification training) =>
        training != new TrainingSpecification { Optimizer = training.Optimizer, Penalties = training.Penalties };

    /// <summary>A text that somebody sent, as it may stand in an answer: cut, and without control characters.</summary>
    internal static string Shown(string? value, int longest = 100)
    {
        var shown = value?.Length > longest ? value[..longest] + "…" : value ?? "null";
        return string.Concat(shown.Select(character => char.IsControl(character) || char.IsSurrogate(character) ? '?' : character));
    }

    /// <summary>Finds everything that is wrong at once, so that a person mends it in one go.</summary>
    /// <returns>Empty when the specification can be run.</returns>
    public static IReadOnlyList<SpecificationError> Validate(RunSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        var errors = new List<SpecificationError>();

        Text("name", specification.Name, 200);
        Text("submitter", specification.Submitter, 200);
        Text("dataset", specification.Dataset, 4096);
        Text("backbone", specification.Backbone, 4096);
        Require(!string.IsNullOrWhiteSpace(specification.Dataset), "dataset", "is empty; give sample, stl10 or a path");
        Require(!string.IsNullOrWhiteSpace(specification.Backbone), "backbone", "is empty; give demo, imagenet, random or a path");
        Require(
            specification.Architecture is null || Architectures.Contains(specification.Architecture, StringComparer.Ordinal),
            "architecture",
            $"is '{Shown(specification.Architecture)}'; known are {string.Join(", ", Architectures)}; leave it out for that of the weights");
        Range("inputSize", specification.InputSize, 32, 1024);
        Require(Enum.IsDefined(specification.Fit), "fit", "must be crop, pad or stretch");
        Require(Enum.IsDefined(specification.Precision), "precision", "must be auto, fp32 or bf16");
        Range("validationFraction", specification.ValidationFraction, 0, 0.9);
        Range("testFraction", specification.TestFraction, 0.001, 0.9);
        Range("fold", specification.Fold ?? 0, 0, 1000);
        Range("topK", specification.TopK, 1, 100);
        Require(Enum.IsDefined(specification.Priority), "priority", "must be interactive or bulk");
        Range("timeLimit", specification.TimeLimit ?? 1, 1, LongestTimeLimit);

        if (specification.Tags is null)
        {
            Add("tags", "must be a list");
        }
        else
        {
            Require(specification.Tags.Count <= 20, "tags", $"has {specification.Tags.Count} entries; at most 20 are allowed");
            foreach (var tag in specification.Tags.Take(20))
            {
                Require(!string.IsNullOrWhiteSpace(tag) && tag.Length <= 100 && !tag.Any(char.IsControl), "tags", $"has the entry '{Shown(tag)}'; a tag has 1 to 100 characters, none of them a control character");
            }
        }

        if (specification.Head is not { } head)
        {
            Add("head", "is null; leave it out for the default");
        }
        else
        {
            Require(Enum.IsDefined(head.Kind), "head.kind", "must be linear or mlp");
            Require(head.Dropout is >= 0 and < 1, "head.dropout", $"is {head.Dropout}; it must be at least 0 and below 1");
            Require(
                head.HiddenSizes is { Count: >= 1 and <= 4 } && head.HiddenSizes.All(size => size is >= 1 and <= 8192),
                "head.hiddenSizes",
                "must have 1 to 4 layers of 1 to 8192");
        }

        if (specification.Training is not { } training)
        {
            Add("training", "is null; leave it out for the default");
        }
        else
        {
            Range("training.epochs", training.Epochs, 1, 10_000);
            Range("training.batchSize", training.BatchSize, 1, 65_536);
            Range("training.patience", training.Patience, 1, 10_000);
            Range("training.weightDecay", training.WeightDecay, 0, 10);
            Require(Enum.IsDefined(training.Optimizer), "training.optimizer", "must be auto, newton or adam");
            Require(
                training.Penalties is { Count: <= 100 } penalties && penalties.All(penalty => penalty is > 0 and <= 1e6) && penalties.Zip(penalties.Skip(1)).All(pair => pair.First > pair.Second),
                "training.penalties",
                "must be at most 100 numbers above 0, up to 1e6, in falling order");
            if (training.Optimizer == HeadOptimizer.Newton)
            {
                Require(specification.Head?.Kind != HeadType.Mlp, "training.optimizer", "is newton, which trains linear heads only; leave it out, or give adam, for an mlp head");
                Require(!HasAdamSettings(training), "training.optimizer", "is newton, which has no epochs, batches, learning rate, weight decay or patience; leave those out, or give adam");
            }
            else if (training.Penalties is { Count: > 0 } && specification.Head is not null)
            {
                Require(specification.ResolveOptimizer() == HeadOptimizer.Newton, "training.penalties", "are for the optimizer newton and linear heads; leave them out, or leave out all settings of adam");
            }

            Require(training.LearningRate is > 0 and <= 10, "training.learningRate", $"is {training.LearningRate}; it must be above 0 and at most 10");
        }

        return errors;

        void Add(string field, string message) => errors.Add(new SpecificationError(field, message));

        void Require(bool holds, string field, string message)
        {
            if (!holds)
            {
                Add(field, message);
            }
        }

        void Range(string field, double value, double least, double most) =>
            Require(value >= least && value <= most, field, $"is {value}; it must be from {least} to {most}");

        void Text(string field, string? value, int most)
        {
            Require(value is null || value.Length <= most, field, $"has {value?.Length} characters; at most {most} are allowed");
            // Databases and pages refuse some of them.
            Require(value is null || !value.Any(char.IsControl), field, "has a control character, such as a line break; leave it out");
        }
    }
}
