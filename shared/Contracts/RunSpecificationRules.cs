namespace Distributed.Contracts;

/// <summary>One thing that is wrong with a specification.</summary>
/// <param name="Field">The JSON path of the field, as in <c>training.learningRate</c>.</param>
/// <param name="Message">The value found and what is allowed.</param>
public sealed record SpecificationError(string Field, string Message);

/// <summary>What a specification must keep beyond the ranges of its settings.</summary>
public static class RunSpecificationRules
{
    /// <summary>A text that somebody sent, as it may stand in an answer: cut, and without control characters.</summary>
    /// <param name="value">The text.</param>
    /// <param name="longest">Where it is cut, in characters.</param>
    public static string Shown(string? value, int longest = 100)
    {
        var shown = value?.Length > longest ? value[..longest] + "…" : value ?? "null";
        return string.Concat(shown.Select(character => char.IsControl(character) || char.IsSurrogate(character) ? '?' : character));
    }

    /// <summary>The optimizer of a head where none is given.</summary>
    internal static HeadOptimizer DefaultOptimizer(HeadKind head) => head == HeadKind.Linear ? HeadOptimizer.Newton : HeadOptimizer.Adam;

    /// <summary>Settings that are right by themselves and do not go together.</summary>
    internal static IEnumerable<SpecificationError> FindConflicts(RunSpecification specification)
    {
        var optimizer = specification.Training.Optimizer;
        if (optimizer == HeadOptimizer.Newton && specification.Head.Kind == HeadKind.Mlp)
        {
            yield return new SpecificationError(
                "training.optimizer",
                "is newton, which trains linear heads only; leave it out, or give adam, for an mlp head"
            );
        }

        if (specification.PixelMean.Count is not (0 or 3) || specification.PixelStd.Count != specification.PixelMean.Count)
        {
            yield return new SpecificationError(
                "pixelMean",
                $"has {specification.PixelMean.Count} numbers and pixelStd {specification.PixelStd.Count}; give three of each, for red, green and blue, or none"
            );
        }
        else if (specification.ChannelOrder == ChannelOrder.Bgr && specification.PixelMean.Count == 0)
        {
            yield return new SpecificationError(
                "channelOrder",
                "is bgr, and is for the pixelMean and pixelStd of an ONNX file; give them, or leave it out"
            );
        }

        if (specification.Compares && specification.Architecture is { } architecture)
        {
            yield return new SpecificationError(
                "architecture",
                $"is {Shown(architecture)}, and the run compares bases of several; leave it out, or name the backbone"
            );
        }

        if (specification.Kind == RunKind.Compare && specification.Backbone is not (RunSpecification.Best or "demo"))
        {
            yield return new SpecificationError(
                "backbone",
                $"is {Shown(specification.Backbone)}, and a run of the kind compare takes its bases from candidates; leave it out"
            );
        }

        if (!specification.Compares && specification.Candidates.Count > 0)
        {
            yield return new SpecificationError(
                "candidates",
                "are given, and the run compares no bases; leave them out, or give the backbone best"
            );
        }

        // A written specification has all settings; those that do not apply say nothing as long as they are at their defaults.
        var defaults = new RunSpecification();
        if (specification.Model is { } model)
        {
            foreach (var setting in RunSettings.All.Where(setting => setting.IsForTraining))
            {
                if (setting.TextOf(specification) != setting.TextOf(defaults))
                {
                    yield return new SpecificationError(
                        setting.Field,
                        $"is for training, and the run predicts with the model {Shown(model)}; leave it out, or leave out model"
                    );
                }
            }

            yield break;
        }

        foreach (var setting in RunSettings.All.Where(setting => setting.Optimizers.Count > 0 && !setting.Optimizers.Contains(optimizer)))
        {
            if (setting.TextOf(specification) != setting.TextOf(defaults))
            {
                var wanted = string.Join(" or ", setting.Optimizers.Select(choice => ChoiceName.Of(choice)));
                yield return new SpecificationError(
                    setting.Field,
                    $"is for the optimizer {wanted}, and the run's is {ChoiceName.Of(optimizer)}; leave it out, or give the optimizer {wanted}"
                );
            }
        }
    }
}
