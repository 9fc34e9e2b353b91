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
    public static HeadTrainingOptions Choose(TrialSettings settings, FeatureData data, int classes) =>
        settings.Training.Optimizer switch
        {
            HeadOptimizer.Newton => ChoosePath(settings.Training.Penalties, data, classes),
            HeadOptimizer.Adam => ChooseAdam(settings.Training, settings.Seed),
            var other => throw new InvalidOperationException($"There is no solver for the optimizer {other}."),
        };

    private static AdamOptions ChooseAdam(TrainingSpecification training, int seed) =>
        new(training.Epochs, training.BatchSize, training.LearningRate, training.WeightDecay, training.Patience, seed);

    private static RegularisationPathOptions ChoosePath(IReadOnlyList<double> penalties, FeatureData data, int classes)
    {
        if (penalties.Count == 0)
        {
            return new RegularisationPathOptions(
                data.ValidationCount > 0
                    ? RegularisationPathOptions.DefaultPenalties(classes)
                    : [RegularisationPathOptions.PenaltyWithoutValidation]
            );
        }

        return data.ValidationCount > 0 || penalties.Count == 1
            ? new RegularisationPathOptions(penalties)
            : throw new HeadTrainingException(
                $"training.penalties has {penalties.Count} values, and there are no validation images to choose by. "
                    + "Give one value, or a validationFraction above 0."
            );
    }
}
