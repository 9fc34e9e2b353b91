using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision.Tests;

public sealed class PenaltyPathTests
{
    private const int Classes = 3, Size = 7;

    private static readonly PenaltyPathOptions Options = new([10, 1, 0.1, 0.01, 1e-3, 1e-4]);

    public static TheoryData<int, int> Shapes => new() { { 60, Size }, { 200, Size }, { 25, 40 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_solution_is_within_a_millionth_of_the_smallest_objective(int count, int size)
    {
        using var data = Data(count, 9, size);
        var state = PenaltyPath.Start(HeadDefinition.Linear, Options, data, Classes);
        foreach (var penalty in Options.Penalties)
        {
            (state, var metrics) = PenaltyPath.Train(state, data, () => true);
            var (objective, loss) = Objective(data, state, penalty);
            var smallest = Smallest(data, state, penalty);
            Assert.InRange((objective / smallest) - 1, -1e-9, 1e-6);
            Assert.Equal(loss, Assert.Single(metrics).TrainLoss, 1e-6);
            Assert.Equal(penalty, metrics[0].Penalty);
        }
    }

    [Fact]
    public void Slices_cut_after_every_penalty_give_the_bits_of_one_training()
    {
        using var data = Data(60, 20, Size);
        var start = PenaltyPath.Start(HeadDefinition.Linear, Options, data, Classes);
        var whole = PenaltyPath.Train(start, data, () => false);

        IHeadTrainingState cut = start;
        var epochs = new List<EpochMetrics>();
        var slices = 0;
        for (; !cut.Finished; slices++)
        {
            // Another worker has none of what this one keeps.
            using var elsewhere = Data(60, 20, Size);
            var outcome = HeadTraining.Resume(cut.ToBytes()).Train(elsewhere, () => true, TestContext.Current.CancellationToken);
            epochs.AddRange(outcome.Epochs);
            cut = outcome.State;
        }

        // One a penalty, and one for the second solution at the best.
        Assert.Equal(Options.Penalties.Count + 1, slices);
        Assert.Equal(whole.State.ToBytes(), cut.ToBytes());
        Assert.Equal(whole.State.ExportBest(), cut.ExportBest());
        Assert.Equal(whole.Epochs, epochs);
        Assert.Empty(PenaltyPath.Train(whole.State, data, () => false).Epochs);
    }

    [Fact]
    public void The_penalty_is_chosen_on_validation_and_its_weights_are_found_again_on_all_images()
    {
        using var data = Data(60, 40, Size);
        var (state, epochs) = PenaltyPath.Train(PenaltyPath.Start(HeadDefinition.Linear, Options, data, Classes), data, () => false);

        var best = epochs.OrderByDescending(epoch => epoch.ValidationAccuracy).ThenBy(epoch => epoch.ValidationLoss).ThenBy(epoch => epoch.Epoch).First();
        Assert.Equal(best.Epoch, state.BestEpoch);
        Assert.Equal(best.ValidationAccuracy, state.BestAccuracy);
        Assert.True(best.ValidationAccuracy > 0.8, $"accuracy {best.ValidationAccuracy}");

        using var all = Data(100, 0, Size);
        using var scope = NewDisposeScope();
        var penalty = Options.Penalties[state.BestEpoch];
        // Standardised as the training images are.
        var alone = PenaltyPath.Start(HeadDefinition.Linear, new([penalty]), all, Classes) with { Mean = state.Mean, Std = state.Std };
        var expected = PenaltyPath.Train(alone, all, () => false).State.Best;
        Assert.All(expected.Zip(state.Best), pair => Assert.Equal(pair.First, pair.Second, 0.01 * expected.Max()));
    }

    [Fact]
    public void Threads_do_not_change_what_the_products_come_to()
    {
        Assert.Equal(Products<double>(1), Products<double>(4));
        Assert.Equal(Products<float>(1), Products<float>(4));

        static double[] Products<T>(int threads)
            where T : unmanaged, System.Numerics.INumber<T>
        {
            var shape = new RowShape(11, 3);
            using var team = new ThreadTeam(threads);
            var rows = new RowProducts<T>(Aligned(Array.ConvertAll(GoldenData.Draw(5, shape.LengthOf(77)), value => (float)value)), 2, 75, shape, team);
            var weights = new double[shape.Length];
            Array.Fill(weights, 0.25, 0, 3 * shape.Stride);
            var sums = new double[weights.Length];
            rows.Run(weights, (_, _, products) => products[0] += products[0], sums);
            return sums;
        }
    }

    [Theory]
    [InlineData(1, 1, 11)]
    [InlineData(15, 3, 16)]
    [InlineData(16, 4, 17)]
    [InlineData(333, 5, 11)]
    [InlineData(35, 10, 1100)]
    public void Products_are_those_of_matrices(int count, int classes, int size)
    {
        Check<double>(1e-13);
        Check<float>(1e-5);

        void Check<T>(double tolerance)
            where T : unmanaged, System.Numerics.INumber<T>
        {
            var shape = new RowShape(size, classes);
            // Other rows before and behind those that are used.
            var values = Array.ConvertAll(GoldenData.Draw(7, shape.LengthOf(count + 4)), value => (float)value - 0.5f);
            for (var row = 0; row < count + 4; row++)
            {
                values.AsSpan((row * shape.Stride) + size, shape.Stride - size).Clear();
            }

            using var team = new ThreadTeam(2);
            var rows = new RowProducts<T>(Aligned(values), 1, count, shape, team);
            var weights = new double[shape.Length];
            GoldenData.Draw(8, classes * shape.Stride).CopyTo(weights, 0);
            var sums = new double[weights.Length];
            rows.Run(weights, (_, _, products) => System.Numerics.Tensors.TensorPrimitives.Multiply<T>(products, products, products), sums);

            using var scope = NewDisposeScope();
            var x = tensor(values).narrow(0, shape.Stride, count * shape.Stride).view(count, shape.Stride).to(ScalarType.Float64);
            var w = tensor(weights, [shape.PaddedClasses, shape.Stride]);
            var expected = x.mm(w.t()).square().t().mm(x).data<double>().ToArray();
            var most = expected.Max(Math.Abs);
            Assert.All(expected.Zip(sums), pair => Assert.Equal(pair.First, pair.Second, tolerance * most));
        }
    }

    [Fact]
    public void What_cannot_be_trained_is_named()
    {
        using var data = Data(20, 8, Size);
        using var unvalidated = Data(20, 0, Size);
        void Refused(string expected, HeadDefinition definition, FeatureData from, params double[] penalties) => Assert.Contains(
            expected, Assert.ThrowsAny<ArgumentException>(() => PenaltyPath.Start(definition, new(penalties), from, Classes)).Message, StringComparison.Ordinal);

        Refused("penalties []", HeadDefinition.Linear, data);
        Refused("penalties [1, 2]", HeadDefinition.Linear, data, 1, 2);
        Refused("penalties [1, 0]", HeadDefinition.Linear, data, 1, 0);
        Refused("Only linear heads", new(HeadKind.Mlp, [3], 0), data, 1);
        Refused("dropout", new(HeadKind.Linear, [], 0.5), data, 1);
        Refused("Without validation images", HeadDefinition.Linear, unvalidated, 2, 1);
        Assert.Throws<InvalidOperationException>(() => PenaltyPath.Start(HeadDefinition.Linear, Options, data, Classes).ExportBest());
    }

    [Fact]
    public void Damaged_checkpoints_give_nothing_but_the_error_of_weights()
    {
        using var data = Data(20, 8, Size);
        var bytes = PenaltyPath.Train(PenaltyPath.Start(HeadDefinition.Linear, Options, data, Classes), data, () => true).State.ToBytes();
        CsCheck.Check.Sample(CsCheck.Gen.Select(CsCheck.Gen.Int[0, 3000], CsCheck.Gen.Byte), (at, value) =>
        {
            var damaged = (byte[])bytes.Clone();
            damaged[at % damaged.Length] = value;
            try
            {
                _ = HeadTraining.Resume(damaged);
            }
            catch (WeightsException)
            {
            }
        }, iter: 3000);
    }

    /// <summary>Loss plus penalty at a state's latest weights, by LibTorch's own functions on the features as they are.</summary>
    private static (double Objective, double Loss) Objective(FeatureData data, PenaltyPathState state, double penalty)
    {
        using var scope = NewDisposeScope();
        var features = data.Features.narrow(0, 0, data.Train.Length).to(ScalarType.Float64).sub_(tensor(state.Mean)).div_(tensor(state.Std));
        var parameters = tensor(state.Latest);
        var weights = parameters.narrow(0, 0, Classes * state.FeatureSize).view(Classes, state.FeatureSize);
        var logits = features.mm(weights.t()).add_(parameters.narrow(0, Classes * state.FeatureSize, Classes));
        var loss = nn.functional.cross_entropy(logits, data.Labels.narrow(0, 0, data.Train.Length)).item<double>();
        return (loss + (0.5 * penalty * weights.square().sum().item<double>()), loss);
    }

    private static double Smallest(FeatureData data, PenaltyPathState state, double penalty)
    {
        var alone = PenaltyPath.Start(HeadDefinition.Linear, new([penalty]), data, Classes);
        return Objective(data, PenaltyPath.Train(alone with { Latest = state.Latest }, data, () => true, tolerance: 1e-13).State, penalty).Objective;
    }

    private static FeatureData Data(int train, int validation, int size)
    {
        var count = train + validation;
        var values = Array.ConvertAll(GoldenData.Draw(3, count * size), value => (float)value);
        for (var row = 0; row < count; row++)
        {
            values[(row * size) + (row % Classes)] += 0.8f;
        }

        return FeatureData.Create(
            new(values, count, size), [.. Enumerable.Range(0, count).Select(i => i % Classes)], [.. Enumerable.Range(0, train)], [.. Enumerable.Range(train, validation)], CPU);
    }

    private static AlignedNumbers<float> Aligned(float[] values)
    {
        var aligned = new AlignedNumbers<float>(values.Length);
        values.CopyTo(aligned.Span);
        return aligned;
    }
}
