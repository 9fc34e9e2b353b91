using Distributed.Contracts;

namespace Distributed.Catalog;

/// <summary>What a person must know before trusting a run's result: whole sentences, the same in terminal, API and report. All thresholds are here.</summary>
public static class RunWarnings
{
    /// <summary>The share of skipped files beyond which a run warns; it fails beyond <see cref="RunSpecification.MaxSkipped"/>.</summary>
    public const double SkippedShare = 0.05;

    /// <summary>The share of training images that are in a later split too, beyond which a run warns.</summary>
    public const double RemovedShare = 0.05;

    /// <summary>The number of images in more than one class from which a run warns: one wrong label is one too many.</summary>
    public const int ContradictingImages = 1;

    private const int MostNames = 5;
    private const int ImagenetSide = 224;

    /// <summary>The warnings of a run.</summary>
    /// <param name="run">The run.</param>
    /// <param name="specification">What was asked for.</param>
    /// <param name="input">What its ingestion found; null where that is not known (yet).</param>
    /// <param name="classes">Its figures by class; empty before it was evaluated.</param>
    public static IReadOnlyList<string> Of(
        Run run,
        RunSpecification specification,
        IngestionSummary? input,
        IReadOnlyList<ClassMetric> classes
    )
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(specification);
        ArgumentNullException.ThrowIfNull(classes);
        var warnings = new List<string>();
        if (input is not null)
        {
            Add(warnings, OfSkipped(input));
            Add(warnings, OfContradictions(input));
        }

        Add(warnings, OfRemoved(run));
        Add(warnings, OfAbsentClasses(classes));
        if (specification.Model is null)
        {
            Add(warnings, OfBackbone(specification));
        }

        return warnings;
    }

    /// <summary>Why a run cannot go on with what was found; null where it can.</summary>
    /// <param name="input">What its ingestion found.</param>
    /// <param name="specification">What was asked for.</param>
    public static string? FindFailure(IngestionSummary input, RunSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(specification);
        return input.SkippedShare() > specification.MaxSkipped
            ? FormattableString.Invariant(
                $"'{input.Source}': {Skipped(input)} That is more than the share of {specification.MaxSkipped} that maxSkipped allows. Mend or remove these files, or raise maxSkipped, and submit the run again."
            )
            : null;
    }

    private static string? OfSkipped(IngestionSummary input) => input.SkippedShare() > SkippedShare ? Skipped(input) : null;

    private static string Skipped(IngestionSummary input) =>
        FormattableString.Invariant($"{input.SkippedShare() * 100:0.#} % of the files were skipped, {input.DescribeSkipped()}.");

    private static string? OfContradictions(IngestionSummary input)
    {
        var count = input.Duplicates.DifferentLabels;
        if (count < ContradictingImages)
        {
            return null;
        }

        var pairs = string.Join(
            ", ",
            input.ContradictingClasses.Select(pair => FormattableString.Invariant($"'{pair.First}' and '{pair.Second}' ({pair.Images:N0})"))
        );
        var copies = string.Concat(
            input
                .ContradictingClasses.Where(pair => pair.Copy is not null)
                .Select(pair =>
                    $" All images of '{pair.Copy}' are in '{(pair.Copy == pair.First ? pair.Second : pair.First)}' too: remove that folder if it is a copy."
                )
        );
        var example = string.Join(" and ", input.Contradictions[0].Occurrences.Select(image => $"'{image.Name}'"));
        return FormattableString.Invariant(
            $"{count:N0} {(count == 1 ? "image is" : "images are")} in more than one class, bit for bit: {pairs}; for example {example}. Such labels contradict each other: keep each image in one class.{copies}"
        );
    }

    private static string? OfRemoved(Run run) =>
        run is { RemovedDuplicates: { } removed, TrainImages: { } train } && removed > RemovedShare * (train + removed)
            ? FormattableString.Invariant(
                $"{removed:N0} training {(removed == 1 ? "image was" : "images were")} removed, because the same {(removed == 1 ? "image is" : "images are")} in the validation or test split: the splits overlap. Left to train on: {train:N0}."
            )
            : null;

    private static string? OfAbsentClasses(IReadOnlyList<ClassMetric> classes)
    {
        var absent = classes.Where(metric => metric.Support == 0).ToList();
        if (absent.Count == 0)
        {
            return null;
        }

        var names =
            string.Join(", ", absent.Take(MostNames).Select(metric => $"'{metric.ClassName}'"))
            + (absent.Count > MostNames ? $" and {absent.Count - MostNames} more" : "");
        var left = absent.Count(metric => metric.F1 is null);
        return FormattableString.Invariant(
            $"{absent.Count:N0} of {classes.Count:N0} classes {(absent.Count == 1 ? "has" : "have")} no test image: {names}. How well the model tells {(absent.Count == 1 ? "it" : "them")} from others is not known; {left:N0}, never predicted either, {(left == 1 ? "is" : "are")} left out of the mean F1."
        );
    }

    private static string? OfBackbone(RunSpecification specification) =>
        specification switch
        {
            { Backbone: "demo", Dataset: not ("sample" or "stl10") } =>
                "The backbone demo has seen photos of 32 px only: it shows that all parts work, and knows little of your images. For a result to rely on, use the backbone imagenet with the input size 224, or the path of a weight file.",
            { Backbone: "imagenet", InputSize: < ImagenetSide } => FormattableString.Invariant(
                $"The backbone imagenet was trained at {ImagenetSide} px, and this run's images were brought to {specification.InputSize} px: an input size of {ImagenetSide} is usually much more accurate."
            ),
            _ => null,
        };

    private static void Add(List<string> warnings, string? warning)
    {
        if (warning is not null)
        {
            warnings.Add(warning);
        }
    }
}
