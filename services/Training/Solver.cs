using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;

namespace Distributed.Training;

/// <summary>From the settings of a trial to what trains its head.</summary>
internal static class Solver
{
    /// <summary>What is trained.</summary>
    public static HeadDefinition Define(HeadSpecification head) =>
        head.Kind == HeadKind.Linear ? HeadDefinition.Linear : new HeadDefinition(HeadKind.Mlp, [.. head.HiddenSizes], head.Dropout);

    /// <summary>What trains it, by the setting <c>training.optimizer</c>.</summary>
    /// <exception cref="HeadTrainingException">The settings ask for a choice that the data do not allow.</exception>
    public static HeadTrainingOptions Choose(TrialSettings settings, FeatureData data, int classes)
    {
        var training = settings.Training;
        if (training.Optimizer == HeadOptimizer.Adam)
        {
            return new AdamOptions(
                training.Epochs,
                training.BatchSize,
                training.LearningRate,
                training.WeightDecay,
                training.Patience,
                settings.Seed
            );
        }

        if (training.Penalties.Count == 0)
        {
            return new RegularisationPathOptions(
                data.Validation.Length > 0
                    ? RegularisationPathOptions.DefaultPenalties(classes)
                    : [RegularisationPathOptions.PenaltyWithoutValidation]
            );
        }

        return data.Validation.Length > 0 || training.Penalties.Count == 1
            ? new RegularisationPathOptions(training.Penalties)
            : throw new HeadTrainingException(
                $"training.penalties has {training.Penalties.Count} values, and there are no validation images to choose by. Give one value, or a validationFraction above 0."
            );
    }
}
