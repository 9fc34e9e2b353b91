using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;
using Distributed.Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision.Tests.Heads;

public sealed class RegularisationPathTests
{
    private const int Classes = 3,
        Size = 7;

    private static readonly RegularisationPathOptions Options = new([10, 1, 0.1, 0.01, 1e-3, 1e-4]);

    /// <summary>Images, features, classes: more classes than stand in one block of the preconditioner, too.</summary>
    public static TheoryData<int, int, int> Shapes =>
        new()
        {
            { 60, Size, Classes },
            { 200, Size, Classes },
            { 25, 40, Classes },
            { 120, 50, 37 },
            { 300, 45, 37 },
        };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_solution_is_within_a_millionth_of_the_smallest_objective(int count, int size, int classes)
    {
        using var data = Data(count, 0, size, classes);
        using var plain = Data(count, 0, size, classes);
        RegularisationPathState? before = null;
        foreach (var penalty in Options.Penalties)
        {
            // Begins where the penalty before it ended.
            var state = RegularisationPath.Start(HeadDefinition.Linear, new([penalty]), data, classes);
            state = state with { Latest = before?.Latest ?? state.Latest };
            (state, var metrics) = RegularisationPath.Train(state, data, () => true);
            var (objective, loss) = Objective(plain, state, penalty);
            var smallest = Smallest(data, plain, state, penalty);
            Assert.InRange((objective / smallest) - 1, -1e-9, 1e-6);
            Assert.Equal(loss, Assert.Single(metrics).TrainLoss, 1e-6);
            Assert.Equal(penalty, metrics[0].Penalty);
            before = state;
        }
    }

    [Fact]
    public void Slices_cut_after_every_penalty_give_the_bits_of_one_training()
    {
        using var data = Data(60, 20, Size);
        var start = RegularisationPath.Start(HeadDefinition.Linear, Options, data, Classes);
        var whole = RegularisationPath.Train(start, data, () => false);

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

        // One a penalty, and one for the refit.
        Assert.Equal(whole.Epochs.Count + 1, slices);
        Assert.Equal(whole.State.ToBytes(), cut.ToBytes());
        Assert.Equal(whole.State.ExportBest(), cut.ExportBest());
        Assert.Equal(whole.Epochs, epochs);
        Assert.Empty(RegularisationPath.Train(whole.State, data, () => false).Epochs);
    }

    [Fact]
    public async Task Features_in_files_in_any_order_give_the_bits_of_those_in_memory()
    {
        const int images = 90;
        using var folder = new TemporaryFolder();
        var matrix = Matrix(images, Size, Classes);
        int[] labels = [.. Enumerable.Range(0, images).Select(i => i % Classes)];
        int[] train = [.. Enumerable.Range(0, images).Where(row => row % 4 != 0).Reverse()];
        int[] validation = [.. Enumerable.Range(0, images).Where(row => row % 8 == 0)];
        int[] order = [.. train, .. validation];
        foreach (var (name, first, count) in ((string, int, int)[])[("0", 0, 37), ("1", 37, 53)])
        {
            await using var file = File.Create(folder[name]);
            await FeatureShardFile.WriteAsync(file, matrix.Select([.. Enumerable.Range(first, count)]));
        }

        using var fromFiles = FeatureData.Create(FeatureShards.Open([folder["0"], folder["1"]]), labels, train, validation, CPU);
        using var fromMemory = FeatureData.Create(
            matrix.Select(order),
            Array.ConvertAll(order, row => labels[row]),
            [.. Enumerable.Range(0, train.Length)],
            [.. Enumerable.Range(train.Length, validation.Length)],
            CPU
        );

        Assert.Equal(Head(fromMemory), Head(fromFiles));

        static byte[] Head(FeatureData data) =>
            RegularisationPath
                .Train(RegularisationPath.Start(HeadDefinition.Linear, Options, data, Classes), data, () => false)
                .State.ExportBest();
    }

    [Fact]
    public void Features_are_projected_in_place_and_serve_further_paths_but_no_other_head()
    {
        using var data = Data(60, 1, Size);
        using var plain = Data(60, 1, Size);
        var validation = HeadNetwork.Download(plain.Features.narrow(0, 60, 1));
        var options = new AdamOptions(1, 16, 0.01, 0, 0, 0);
        var start = RegularisationPath.Start(HeadDefinition.Linear, Options, data, Classes);
        AdamTrainer.Train(AdamTrainer.Start(HeadDefinition.Linear, options, data, Classes), data, () => false);
        Assert.Equal((true, false), (data.HasFeatures, data.HasComponents));

        var first = RegularisationPath.Train(start, data, () => false).State.ExportBest();

        Assert.Equal((false, true), (data.HasFeatures, data.HasComponents));
        var again = RegularisationPath.Start(HeadDefinition.Linear, Options, data, Classes);
        Assert.Equal(first, RegularisationPath.Train(again, data, () => false).State.ExportBest());
        // A worker that went on with the training of another one has projected the features, and has measured them as well.
        RegularisationPath.Train(start, plain, () => false);
        Assert.Equal(start.Mean, RegularisationPath.Start(HeadDefinition.Linear, Options, plain, Classes).Mean);
        // The only validation image is still as it was.
        Assert.Equal(validation, HeadNetwork.Download(data.ReadValidation(0, 1)));
        Assert.Contains(
            "load them again",
            Assert
                .Throws<InvalidOperationException>(() =>
                    AdamTrainer.Train(AdamTrainer.Start(HeadDefinition.Linear, options, data, Classes), data, () => false)
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "other means",
            Assert
                .Throws<ArgumentException>(() => RegularisationPath.Train(start with { Mean = new float[Size] }, data, () => false))
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void An_odd_number_of_classes_gives_the_same_bits_after_an_even_one_on_the_same_features()
    {
        using var data = Data(60, 20, Size);
        using var fresh = Data(60, 20, Size);

        Head(data, Classes + 1);

        Assert.Equal(Head(fresh, Classes), Head(data, Classes));

        static byte[] Head(FeatureData data, int classes) =>
            RegularisationPath
                .Train(RegularisationPath.Start(HeadDefinition.Linear, Options, data, classes), data, () => false)
                .State.ExportBest();
    }

    [Fact]
    public void The_penalty_with_the_smallest_validation_loss_is_chosen_and_the_head_is_refitted_on_all_images()
    {
        using var data = Data(60, 40, Size);
        var (state, epochs) = RegularisationPath.Train(
            RegularisationPath.Start(HeadDefinition.Linear, Options, data, Classes),
            data,
            () => false
        );

        var best = epochs.MinBy(epoch => epoch.ValidationLoss)!;
        Assert.Equal(best.Epoch, state.BestEpoch);
        Assert.Equal(best.ValidationAccuracy, state.BestAccuracy);
        Assert.Equal(best.ValidationLoss, state.BestLoss);
        Assert.True(best.ValidationAccuracy > 0.8, $"accuracy {best.ValidationAccuracy}");

        using var all = Data(100, 0, Size);
        using var scope = NewDisposeScope();
        var penalty = Options.Penalties[state.BestEpoch];
        // Standardised as the training images are.
        var alone = RegularisationPath.Start(HeadDefinition.Linear, new([penalty]), all, Classes) with
        {
            Mean = state.Mean,
            Std = state.Std,
        };
        var expected = RegularisationPath.Train(alone, all, () => false).State.Best;
        Assert.All(expected.Zip(state.Best), pair => Assert.Equal(pair.First, pair.Second, 0.01 * expected.Max()));
    }

    [Fact]
    public void A_head_is_calibrated_on_the_validation_images_before_it_learns_from_them()
    {
        using var data = Data(60, 40, Size);
        var values = data.Features.narrow(0, 60, 40).contiguous().data<float>().ToArray();
        var state = RegularisationPath
            .Train(RegularisationPath.Start(HeadDefinition.Linear, Options, data, Classes), data, () => false)
            .State;
        var head = TrainedHead.Load(state.ExportBest());

        using var withoutValidation = Data(60, 0, Size);
        var alone = RegularisationPath.Start(HeadDefinition.Linear, new([Options.Penalties[state.BestEpoch]]), withoutValidation, Classes);
        var before = TrainedHead.Load(RegularisationPath.Train(alone, withoutValidation, () => false).State.ExportBest());
        int[] labels = [.. data.Labels.data<long>().ToArray()[60..].Select(label => (int)label)];
        var logits = before.Logits(new FeatureMatrix(values, 40, Size));
        Assert.Equal(TemperatureScaling.Fit(logits, labels, Classes), head.Temperature, 0.02);
        Assert.NotEqual(TemperatureScaling.Fit(head.Logits(new FeatureMatrix(values, 40, Size)), labels, Classes), head.Temperature, 0.02);
        var probabilities = TemperatureScaling.Probabilities(logits, Classes, head.Temperature);
        var own = labels.Select((label, image) => 1 - probabilities[(image * Classes) + label]).Order().ToList();
        Assert.Equal(own[(int)Math.Ceiling(41 * 0.9) - 1], head.Calibration!.Threshold(0.9), 0.02);
        Assert.Null(before.Calibration);
        Assert.Equal(1, before.Temperature);
        Assert.Equal(state.ExportBest(), RegularisationPathState.FromBytes(state.ToBytes()).ExportBest());
    }

    [Fact]
    public void The_path_ends_at_a_penalty_that_is_less_than_a_fifth_of_the_best_one()
    {
        using var data = Data(60, 40, Size);
        double[] penalties = [.. Enumerable.Range(0, 25).Select(i => Math.Pow(10, 1 - (i / 4.0)))];
        var (state, epochs) = RegularisationPath.Train(
            RegularisationPath.Start(HeadDefinition.Linear, new(penalties), data, Classes),
            data,
            () => false
        );

        Assert.True(state.Finished);
        Assert.InRange(state.BestEpoch, 1, 20);
        Assert.Equal(state.BestEpoch + 4, epochs.Count);
        Assert.All(epochs.Skip(state.BestEpoch + 1), epoch => Assert.True(epoch.ValidationLoss > state.BestLoss));
    }

    [Fact]
    public void A_refit_of_many_classes_is_within_a_millionth_of_the_smallest_objective()
    {
        const int classes = 37,
            size = 50;
        using var data = Data(80, 40, size, classes);
        // So weak that the validation images are far from what the training images say.
        double[] penalties = [.. Enumerable.Range(0, 13).Select(i => Math.Pow(10, 1 - (i / 2.0)))];
        var chosen = penalties.Length - 1;
        var state = RegularisationPath.Start(HeadDefinition.Linear, new(penalties), data, classes) with
        {
            Epoch = penalties.Length,
            BestEpoch = chosen,
        };
        state = RegularisationPath.Train(state, data, () => false).State;

        using var all = Data(120, 0, size, classes);
        using var plain = Data(120, 0, size, classes);
        var alone = RegularisationPath.Start(HeadDefinition.Linear, new([penalties[chosen]]), all, classes) with
        {
            Mean = state.Mean,
            Std = state.Std,
            Latest = state.Best,
        };
        var smallest = Objective(
            plain,
            RegularisationPath.Train(alone, all, () => true, tolerance: 1e-13).State,
            penalties[chosen]
        ).Objective;
        Assert.InRange((Objective(plain, state with { Latest = state.Best }, penalties[chosen]).Objective / smallest) - 1, -1e-9, 1e-6);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(16)]
    public void The_preconditioner_of_few_classes_inverts_their_covariance_where_not_all_get_the_same(int classes)
    {
        const int count = 90,
            size = 4;
        const double penalty = 0.03;
        using var scope = NewDisposeScope();
        var shape = new RowShape(size, classes);
        var drawn = nn.functional.softmax(tensor(GoldenData.Draw(4, count * classes)).view(count, classes).to(ScalarType.Float64) * 3, 1);
        var meanSquares = new double[shape.Stride];
        (meanSquares[0], meanSquares[1], meanSquares[2], meanSquares[3]) = (3, 1, 0.2, 1);
        var wanted = tensor(GoldenData.Draw(6, classes * size)).view(classes, size).to(ScalarType.Float64);
        var residual = wanted - wanted.mean([0]);
        var result = new double[shape.Length];
        new ClassPreconditioner(Pad(drawn, count, shape.PaddedClasses), count, shape, meanSquares, penalty).Apply(
            Pad(residual, shape.PaddedClasses, shape.Stride),
            result
        );

        var covariance = drawn.mean([0]).diag() - drawn.t().mm(drawn).div(count);
        for (var feature = 0; feature < size; feature++)
        {
            var inverse = linalg.pinv(
                (covariance * meanSquares[feature]) + (eye(classes, dtype: ScalarType.Float64) * (feature == size - 1 ? 0 : penalty))
            );
            AssertNear(
                inverse.mv(residual.select(1, feature)),
                tensor(result, [shape.PaddedClasses, shape.Stride]).narrow(0, 0, classes).select(1, feature),
                1e-9
            );
        }
    }

    [Theory]
    [InlineData(20, 37)]
    [InlineData(90, 37)]
    public void The_preconditioner_of_many_classes_inverts_each_ones_images_and_the_mean_of_the_rest(int count, int classes)
    {
        const int size = 40,
            own = 32;
        const double penalty = 0.03;
        using var scope = NewDisposeScope();
        using var team = new ThreadTeam(2);
        using var data = Data(count, 0, size, classes);
        var start = RegularisationPath.Start(HeadDefinition.Linear, new([1]), data, classes);
        var features = data.ProjectFeatures(start.Mean, start.Std);
        var shape = features.ShapeFor(classes);
        var x = features.Values.View(0, count, 0, shape.Size).to(ScalarType.Float64);
        var meanSquares = x.square().mean([0]);
        var drawn = nn.functional.softmax(tensor(GoldenData.Draw(4, count * classes)).view(count, classes).to(ScalarType.Float64) * 8, 1);
        var wanted = tensor(GoldenData.Draw(6, classes * shape.Size)).view(classes, shape.Size).to(ScalarType.Float64);
        var residual = wanted - wanted.mean([0]);
        var result = new double[shape.Length];
        new ImagePreconditioner(
            Pad(drawn, count, shape.PaddedClasses),
            features,
            0,
            count,
            shape,
            [.. meanSquares.data<double>().ToArray(), .. new double[shape.Stride - shape.Size]],
            penalty,
            team
        ).Apply(Pad(residual, shape.PaddedClasses, shape.Stride), result);

        var penalties = ones(shape.Size, dtype: ScalarType.Float64) * penalty;
        penalties[shape.Size - 1] = tensor(0.0);
        var expected = stack(
            Enumerable
                .Range(0, classes)
                .Select(label =>
                {
                    var weights = (drawn.select(1, label) * (1 - drawn.select(1, label))).div(count);
                    var (_, largest) = weights.topk(Math.Min(own, count));
                    var exact = x.index_select(0, largest);
                    var rest = maximum(weights.sum() - weights.index_select(0, largest).sum(), 1e-3 * weights.sum());
                    var curvature =
                        exact.t().mm(exact * weights.index_select(0, largest).unsqueeze(1)) + ((meanSquares * rest) + penalties).diag();
                    return linalg.inv(curvature).mv(residual.select(0, label));
                })
        );
        AssertNear(
            expected - expected.mean([0]),
            tensor(result, [shape.PaddedClasses, shape.Stride]).narrow(0, 0, classes).narrow(1, 0, shape.Size),
            0.01
        );
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
            using var drawn = Aligned(Array.ConvertAll(GoldenData.Draw(5, 77 * shape.Stride), value => (float)value), 77, shape);
            var rows = new FusedProducts<T>(drawn, 2, 75, shape, team);
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
    [InlineData(150, 75, 1100)]
    public void Products_are_those_of_matrices(int count, int classes, int size)
    {
        Check<double>(1e-13);
        Check<float>(1e-5);

        void Check<T>(double tolerance)
            where T : unmanaged, System.Numerics.INumber<T>
        {
            var shape = new RowShape(size, classes);
            // Other rows before and behind those that are used.
            var values = Array.ConvertAll(GoldenData.Draw(7, (count + 4) * shape.Stride), value => (float)value - 0.5f);
            for (var row = 0; row < count + 4; row++)
            {
                values.AsSpan((row * shape.Stride) + size, shape.Stride - size).Clear();
            }

            using var team = new ThreadTeam(2);
            using var drawn = Aligned(values, count + 4, shape);
            var rows = new FusedProducts<T>(drawn, 1, count, shape, team);
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
        void Refused(string expected, HeadDefinition definition, FeatureData from, params double[] penalties) =>
            Assert.Contains(
                expected,
                Assert.ThrowsAny<ArgumentException>(() => RegularisationPath.Start(definition, new(penalties), from, Classes)).Message,
                StringComparison.Ordinal
            );

        Refused("penalties []", HeadDefinition.Linear, data);
        Refused("penalties [1, 2]", HeadDefinition.Linear, data, 1, 2);
        Refused("penalties [1, 0]", HeadDefinition.Linear, data, 1, 0);
        Refused("Only linear heads", new(HeadKind.Mlp, [3], 0), data, 1);
        Refused("dropout", new(HeadKind.Linear, [], 0.5), data, 1);
        Refused("Without validation images", HeadDefinition.Linear, unvalidated, 2, 1);
        Assert.Throws<InvalidOperationException>(() =>
            RegularisationPath.Start(HeadDefinition.Linear, Options, data, Classes).ExportBest()
        );
    }

    [Fact]
    public void Damaged_checkpoints_give_nothing_but_the_error_of_weights()
    {
        using var data = Data(20, 8, Size);
        var bytes = RegularisationPath
            .Train(RegularisationPath.Start(HeadDefinition.Linear, Options, data, Classes), data, () => true)
            .State.ToBytes();
        CsCheck.Check.Sample(
            CsCheck.Gen.Select(CsCheck.Gen.Int[0, 3000], CsCheck.Gen.Byte),
            (at, value) =>
            {
                var damaged = (byte[])bytes.Clone();
                damaged[at % damaged.Length] = value;
                try
                {
                    _ = HeadTraining.Resume(damaged);
                }
                catch (WeightsException) { }
            },
            iter: 3000
        );
    }

    /// <summary>Loss plus penalty at a state's latest weights, by LibTorch's own functions on the features as they are.</summary>
    private static (double Objective, double Loss) Objective(FeatureData data, RegularisationPathState state, double penalty)
    {
        using var scope = NewDisposeScope();
        var features = data.Features.narrow(0, 0, data.TrainCount).to(ScalarType.Float64).sub_(tensor(state.Mean)).div_(tensor(state.Std));
        var parameters = tensor(state.Latest);
        var weights = parameters.narrow(0, 0, state.Classes * state.FeatureSize).view(state.Classes, state.FeatureSize);
        var logits = features.mm(weights.t()).add_(parameters.narrow(0, state.Classes * state.FeatureSize, state.Classes));
        var loss = nn.functional.cross_entropy(logits, data.Labels.narrow(0, 0, data.TrainCount)).item<double>();
        return (loss + (0.5 * penalty * weights.square().sum().item<double>()), loss);
    }

    private static double Smallest(FeatureData data, FeatureData plain, RegularisationPathState state, double penalty)
    {
        var alone = RegularisationPath.Start(HeadDefinition.Linear, new([penalty]), data, state.Classes);
        return Objective(
            plain,
            RegularisationPath.Train(alone with { Latest = state.Latest }, data, () => true, tolerance: 1e-13).State,
            penalty
        ).Objective;
    }

    private static FeatureData Data(int train, int validation, int size, int classes = Classes)
    {
        var count = train + validation;
        return FeatureData.Create(
            Matrix(count, size, classes),
            [.. Enumerable.Range(0, count).Select(i => i % classes)],
            [.. Enumerable.Range(0, train)],
            [.. Enumerable.Range(train, validation)],
            CPU
        );
    }

    private static FeatureMatrix Matrix(int count, int size, int classes)
    {
        var values = Array.ConvertAll(GoldenData.Draw(3, count * size), value => (float)value);
        for (var row = 0; row < count; row++)
        {
            values[(row * size) + (row % classes)] += 0.8f;
        }

        return new FeatureMatrix(values, count, size);
    }

    /// <summary>A matrix with zeros behind its rows and columns.</summary>
    private static double[] Pad(Tensor values, long rows, long columns)
    {
        var padded = zeros([rows, columns], ScalarType.Float64);
        padded.narrow(0, 0, values.shape[0]).narrow(1, 0, values.shape[1]).copy_(values);
        return padded.data<double>().ToArray();
    }

    private static void AssertNear(Tensor expected, Tensor found, double tolerance) =>
        Assert.All(
            expected.contiguous().data<double>().ToArray().Zip(found.contiguous().data<double>().ToArray()),
            pair => Assert.Equal(pair.First, pair.Second, tolerance * expected.abs().max().item<double>())
        );

    private static AlignedRows Aligned(float[] values, int count, RowShape shape)
    {
        var aligned = new AlignedRows(count, shape.Size);
        for (var row = 0; row < count; row++)
        {
            values.AsSpan(row * shape.Stride, shape.Stride).CopyTo(aligned[row]);
        }

        return aligned;
    }
}
