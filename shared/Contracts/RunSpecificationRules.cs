namespace Distributed.Contracts;

/// <summary>One thing that is wrong with a specification.</summary>
/// <param name="Field">The JSON path of the field, as in <c>training.learningRate</c>.</param>
/// <param name="Message">The value found and what is allowed.</param>
public sealed record SpecificationError(string Field, string Message);

/// <summary>The ranges that a run specification must keep.</summary>
public static class RunSpecificationRules
{
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
    /// <param name="value">The text.</param>
    /// <param name="longest">Where it is cut, in characters.</param>
    public static string Shown(string? value, int longest = 100)
    {
        var shown = value?.Length > longest ? value[..longest] + "…" : value ?? "null";
        return string.Concat(shown.Select(character => char.IsControl(character) || char.IsSurrogate(character) ? '?' : character));
    }

    /// <summary>Finds everything that is wrong at once, so that a person mends it in one go.</summary>
    /// <returns>Empty when the specification can be run.</returns>
    public static IReadOnlyList<SpecificationError> Validate(RunSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        var missing = new[] { ("head", specification.Head is null), ("training", specification.Training is null) }
            .Where(part => part.Item2)
            .Select(part => part.Item1)
            .ToList();
        var errors = missing.ConvertAll(name => new SpecificationError(name, "is null; leave it out for the default"));
        foreach (var setting in RunSettings.All.Where(setting => !missing.Contains(setting.Field.Split('.')[0])))
        {
            var value = setting.ValueOf(specification);
            var wrong =
                value is not null ? setting.Check(value)
                : setting.IsOptional ? null
                : "is null";
            if (wrong is not null)
            {
                errors.Add(setting.Error(wrong));
            }
        }

        return errors.Count > 0 ? errors : [.. FindConflicts(specification)];
    }

    /// <summary>Settings that are right by themselves and do not go together.</summary>
    internal static IEnumerable<SpecificationError> FindConflicts(RunSpecification specification)
    {
        var training = specification.Training;
        if (training.Optimizer == HeadOptimizer.Newton)
        {
            if (specification.Head.Kind == HeadType.Mlp)
            {
                yield return new SpecificationError(
                    "training.optimizer",
                    "is newton, which trains linear heads only; leave it out, or give adam, for an mlp head"
                );
            }

            if (HasAdamSettings(training))
            {
                yield return new SpecificationError(
                    "training.optimizer",
                    "is newton, which has no epochs, batches, learning rate, weight decay or patience; leave those out, or give adam"
                );
            }
        }
        else if (training.Penalties.Count > 0 && specification.ResolveOptimizer() != HeadOptimizer.Newton)
        {
            yield return new SpecificationError(
                "training.penalties",
                "are for the optimizer newton and linear heads; leave them out, or leave out all settings of adam"
            );
        }
    }
}
