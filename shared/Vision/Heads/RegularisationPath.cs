using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using TorchSharp;

namespace Distributed.Vision.Heads;

/// <summary>
/// Trains a linear head along a regularisation path (<see cref="RegularisationPathOptions"/>). A step is one penalty; it begins at what
/// the solutions at the two penalties before it point to. The last step refits the head with the best penalty on training and
/// validation images together.
/// </summary>
/// <remarks>
/// Solutions are kept in the coordinates of the features, so that wherever slices are cut, the result has the same bits on a
/// processor model and number of threads. Call it from one dedicated thread: see <see cref="IBackbone"/>.
/// </remarks>
public static class RegularisationPath
{
    /// <summary>
    /// How far from its smallest value, relative to it, the objective may be at penalties of many classes that are only passed on the way: time
    /// grows with the classes. What is refitted is solved to <see cref="LogisticRegression.DefaultTolerance"/> in any case.
    /// </summary>
    private const double ToleranceOnTheWay = 1e-3;

    /// <summary>Prepares training: measures means and deviations of the training features.</summary>
    /// <param name="definition">A linear head without dropout.</param>
    /// <param name="options">The penalties.</param>
    /// <param name="data">What to learn from.</param>
    /// <param name="classes">Classes, at least 2; labels are below it.</param>
    /// <exception cref="ArgumentException">Definition, options or labels are out of range, or nothing can choose among several penalties.</exception>
    /// <exception cref="HeadTrainingException">The features are not finite numbers.</exception>
    public static RegularisationPathState Start(HeadDefinition definition, RegularisationPathOptions options, FeatureData data, int classes)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(data);
        options.ThrowIfInvalid();
        if (definition.Kind != HeadKind.Linear || definition.Dropout != 0)
        {
            throw new ArgumentException(
                $"Only linear heads without dropout are trained along a regularisation path, not {definition.Kind} with dropout "
                    + $"{definition.Dropout}.",
                nameof(definition)
            );
        }

        if (data.ValidationCount == 0 && options.Penalties.Count > 1)
        {
            throw new ArgumentException(
                $"Without validation images nothing chooses among {options.Penalties.Count} penalties: give one.",
                nameof(options)
            );
        }

        var length = new HeadLayout(definition, data.FeatureSize, classes).Length;
        HeadTraining.ThrowIfOutOfRange(data, classes);
        var (mean, std) = data.MeasureScaling();
        return new RegularisationPathState
        {
            Options = options,
            FeatureSize = data.FeatureSize,
            Classes = classes,
            Mean = mean,
            Std = std,
            Latest = new double[length],
            Previous = new double[length],
            Best = new double[length],
        };
    }

    /// <summary>Trains from a state until training is over or the slice is to end, at least one penalty.</summary>
    /// <param name="state">From <see cref="Start"/>, an earlier slice, or a checkpoint. It stays as it is.</param>
    /// <param name="data">The same data in every slice.</param>
    /// <param name="shouldStop">Asked after every penalty whether the slice is to end.</param>
    /// <param name="cancellationToken">Cancels the slice between steps of the solver.</param>
    /// <exception cref="ArgumentException">The data do not fit the state.</exception>
    /// <exception cref="HeadTrainingException">The features are too large to compute with.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing of the slice is kept.</exception>
    public static (RegularisationPathState State, IReadOnlyList<EpochMetrics> Epochs) Train(
        RegularisationPathState state,
        FeatureData data,
        Func<bool> shouldStop,
        CancellationToken cancellationToken = default
    ) => Train(state, data, shouldStop, LogisticRegression.DefaultTolerance, cancellationToken);

    /// <summary>The same to another tolerance than the usual one, for measuring how near that comes.</summary>
    internal static (RegularisationPathState State, IReadOnlyList<EpochMetrics> Epochs) Train(
        RegularisationPathState state,
        FeatureData data,
        Func<bool> shouldStop,
        double tolerance,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(shouldStop);
        if (data.FeatureSize != state.FeatureSize)
        {
            throw new ArgumentException(
                $"The data are not those that training began with: they have {data.FeatureSize} features an image, not "
                    + $"{state.FeatureSize}.",
                nameof(data)
            );
        }

        var epochs = new List<EpochMetrics>();
        if (state.Finished)
        {
            return (state, epochs);
        }

        using var withoutGradients = torch.no_grad();
        var features = data.ProjectFeatures(state.Mean, state.Std);
        using var team = new ThreadTeam(torch.get_num_threads());
        // LibTorch's threads go on spinning after every operator, and would take the cores from the solver's own.
        using var alone = TorchEnvironment.WithThreads(1);
        var chooses = data.ValidationCount > 0;
        var images = new LogisticRegression(
            features,
            0,
            data.TrainCount,
            state.Classes,
            team,
            chooses ? OnTheWay(state, tolerance) : tolerance
        );
        var path = new ProjectedPath(features, images.PaddedClasses);
        var validation = chooses
            ? new LogisticRegression(features, data.TrainCount, data.ValidationCount, state.Classes, team, tolerance)
            : null;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!state.Chosen)
            {
                (state, var metrics) = Advance(state, path, images, validation, cancellationToken);
                epochs.Add(metrics);
            }
            else
            {
                var layout = new HeadLayout(HeadDefinition.Linear, state.FeatureSize, state.Classes);
                var parameters = RegularisationPathState.ToSingles(state.Best);
                state = state with { Calibration = HeadCalibration.Measure(layout, parameters, state.Mean, state.Std, data) };
                state = Refit(state, features, team, tolerance, cancellationToken);
            }
        } while (!state.Finished && !shouldStop());
        return (state, epochs);
    }

    private static (RegularisationPathState State, EpochMetrics Metrics) Advance(
        RegularisationPathState state,
        ProjectedPath path,
        LogisticRegression images,
        LogisticRegression? validation,
        CancellationToken cancellationToken
    )
    {
        var penalty = state.Options.Penalties[state.Epoch];
        var (next, solution) = Step(state, path, images, cancellationToken);
        var metrics = new EpochMetrics(state.Epoch, solution.Loss, solution.Accuracy, null, null, Penalty: penalty);
        images.Recycle(solution);
        state = next;
        if (validation is null)
        {
            return (state with { BestEpoch = metrics.Epoch, Best = state.Latest, Finished = true }, metrics);
        }

        var judged = validation.Measure(solution.Weights);
        metrics = metrics with { ValidationLoss = judged.Loss, ValidationAccuracy = judged.Accuracy };
        if (state.BestEpoch < 0 || judged.Loss < state.BestLoss)
        {
            state = state with { BestEpoch = metrics.Epoch, BestAccuracy = judged.Accuracy, BestLoss = judged.Loss, Best = state.Latest };
        }

        return (state, metrics);
    }

    /// <summary>Solves for the next penalty.</summary>
    private static (RegularisationPathState State, LogisticRegression.Point Solution) Step(
        RegularisationPathState state,
        ProjectedPath path,
        LogisticRegression images,
        CancellationToken cancellationToken
    )
    {
        var penalty = state.Options.Penalties[state.Epoch];
        var solution = images.Solve(Begin(state, path, images, penalty), penalty, cancellationToken);
        return (
            state with
            {
                Epoch = state.Epoch + 1,
                Previous = state.Latest,
                Latest = path.Features.ProjectBack(solution.Weights, state.Classes),
            },
            solution
        );
    }

    private static double OnTheWay(RegularisationPathState state, double tolerance) =>
        HasManyClasses(state) ? Math.Max(tolerance, ToleranceOnTheWay) : tolerance;

    private static bool HasManyClasses(RegularisationPathState state) => state.Classes > LogisticRegression.FewClasses;

    private static RegularisationPathState Refit(
        RegularisationPathState state,
        PrincipalComponents features,
        ThreadTeam team,
        double tolerance,
        CancellationToken cancellationToken
    )
    {
        var begin = HasManyClasses(state) ? WalkAgain(state, features, team, tolerance, cancellationToken) : state.Best;
        var all = new LogisticRegression(features, 0, features.Labels.Length, state.Classes, team, tolerance);
        var solution = all.Solve(
            all.Evaluate(features.Project(begin, all.PaddedClasses)),
            state.Options.Penalties[state.BestEpoch],
            cancellationToken
        );
        all.Recycle(solution);
        return state with { Best = features.ProjectBack(solution.Weights, state.Classes), Finished = true };
    }

    /// <summary>
    /// Where the refit of many classes begins. Its validation images are often of classes that the training images hardly show: at a weak
    /// penalty, the best weights are sure of the wrong class for them, in a flat region that takes hundreds of products to leave. The
    /// path with all images takes a few at each penalty.
    /// </summary>
    private static double[] WalkAgain(
        RegularisationPathState state,
        PrincipalComponents features,
        ThreadTeam team,
        double tolerance,
        CancellationToken cancellationToken
    )
    {
        var all = new LogisticRegression(features, 0, features.Labels.Length, state.Classes, team, OnTheWay(state, tolerance));
        var path = new ProjectedPath(features, all.PaddedClasses);
        var walk = state with { Epoch = 0, Latest = new double[state.Best.Length], Previous = new double[state.Best.Length] };
        while (walk.Epoch <= state.BestEpoch)
        {
            (walk, var solution) = Step(walk, path, all, cancellationToken);
            all.Recycle(solution);
        }

        return walk.Latest;
    }

    /// <summary>Where the solutions over the logarithm of the penalty point to, or the latest one where that is better.</summary>
    private static LogisticRegression.Point Begin(
        RegularisationPathState state,
        ProjectedPath path,
        LogisticRegression images,
        double penalty
    )
    {
        var weights = path.Of(state.Latest);
        if (state.Epoch < 2)
        {
            return images.Evaluate(weights);
        }

        var penalties = state.Options.Penalties;
        var ahead = Math.Log(penalty / penalties[state.Epoch - 1]) / Math.Log(penalties[state.Epoch - 1] / penalties[state.Epoch - 2]);
        var further = new double[weights.Length];
        Vectors.Axpy(1 + ahead, weights, further);
        Vectors.Axpy(-ahead, path.Of(state.Previous), further);
        var extrapolated = images.Evaluate(further);
        if (images.Objective(extrapolated, penalty) < images.Objective(weights, images.Measure(weights).Loss, penalty))
        {
            return extrapolated;
        }

        images.Recycle(extrapolated);
        return images.Evaluate(weights);
    }

    /// <summary>The two latest solutions in the coordinates of the solver: each is needed at two penalties and projected once.</summary>
    private sealed class ProjectedPath(PrincipalComponents features, int paddedClasses)
    {
        private (double[] Weights, double[] Projected)[] _known = [];

        public PrincipalComponents Features => features;

        public double[] Of(double[] weights)
        {
            var found =
                _known.FirstOrDefault(pair => ReferenceEquals(pair.Weights, weights)).Projected ?? features.Project(weights, paddedClasses);
            _known = [(weights, found), .. _known.Where(pair => !ReferenceEquals(pair.Weights, weights)).Take(1)];
            return found;
        }
    }
}
