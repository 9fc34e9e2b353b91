using CsCheck;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;
using Distributed.Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision.Tests.Heads;

public sealed class HeadTests
{
    private const int Classes = 3;
    private const int Size = 6;

    private static readonly HeadDefinition Mlp = new(HeadKind.Mlp, [5, 4], 0.3);

    public static TheoryData<string> Definitions => ["linear", "linear with dropout", "mlp"];

    [Theory]
    [MemberData(nameof(Definitions))]
    public void Slices_cut_after_every_batch_give_the_bits_of_one_training(string name)
    {
        using var data = Data(20, 8);
        var options = new AdamOptions(4, 6, 0.01, 0.001, 0, 3);
        var start = AdamTrainer.Start(Definition(name), options, data, Classes);

        var whole = AdamTrainer.Train(start, data, () => false);
        var epochs = new List<EpochMetrics>();
        var cut = AdamState.FromBytes(start.ToBytes());
        var slices = 0;
        for (; !cut.Finished; slices++)
        {
            var outcome = AdamTrainer.Train(cut, data, () => true, epochs.Add);
            cut = AdamState.FromBytes(outcome.State.ToBytes());
        }

        Assert.Equal(4 * 4, slices);
        Assert.Equal(whole.State.ToBytes(), cut.ToBytes());
        Assert.Equal(whole.Epochs, epochs);
        Assert.NotEqual(start.Parameters, whole.State.Parameters);
    }

    [Fact]
    public void Slices_cut_anywhere_give_the_bits_of_one_training()
    {
        using var data = Data(20, 8);
        var start = AdamTrainer.Start(Mlp, new(3, 3, 0.01, 0, 0, 1), data, Classes);
        var whole = AdamTrainer.Train(start, data, () => false).State.ToBytes();
        Gen.Int[1, 21]
            .Array[1, 5]
            .Sample(
                lengths =>
                {
                    var state = start;
                    for (var slice = 0; !state.Finished; slice++)
                    {
                        var left = lengths[slice % lengths.Length];
                        state = AdamTrainer.Train(state, data, () => --left == 0).State;
                    }

                    Assert.Equal(whole, state.ToBytes());
                },
                iter: 20,
                threads: 1
            );
    }

    [Theory]
    [MemberData(nameof(Definitions))]
    public void Gradients_are_those_of_autograd(string name)
    {
        using var scope = NewDisposeScope();
        var definition = Definition(name);
        using var data = Data(16, 0);
        var layout = new HeadLayout(definition, Size, Classes);
        var (mean, std) = FeatureScaling.Measure(data);
        using var network = new HeadNetwork(layout, layout.Draw(7), mean, std, CPU);
        var masks = layout
            .Layers.Select(
                (layer, i) =>
                    layer.DropsInputs
                        ? TensorData
                            .FromValues(
                                Array.ConvertAll(GoldenData.Draw(50 + i, 16 * layer.Inputs), value => value < 0.3 ? 0 : 1 / 0.7f),
                                16,
                                layer.Inputs
                            )
                            .ToTensor()
                        : ones(16, layer.Inputs)
            )
            .ToArray();

        Tensor loss;
        using (no_grad())
        {
            loss = network.Differentiate(data.Features, data.Labels, layer => masks[layer]).LossSum;
        }

        var parameters = network.Parameters.clone().requires_grad_(true);
        var current = (data.Features - HeadNetwork.Upload(mean, CPU)) / HeadNetwork.Upload(std, CPU);
        for (var i = 0; i < layout.Layers.Count; i++)
        {
            var layer = layout.Layers[i];
            var weight = parameters.narrow(0, layer.WeightStart, layer.Inputs * layer.Outputs).view(layer.Outputs, layer.Inputs);
            current = nn.functional.linear(current * masks[i], weight, parameters.narrow(0, layer.BiasStart, layer.Outputs));
            current = i < layout.Layers.Count - 1 ? nn.functional.relu(current) : current;
        }

        var expected = nn.functional.cross_entropy(current, data.Labels);
        expected.backward();
        Assert.Equal(expected.item<float>(), (float)(loss.item<double>() / 16), 1e-5f);
        var difference = (parameters.grad! - network.Gradient).abs().max().item<float>();
        Assert.InRange(difference, 0, 1e-6f);
        Assert.True(network.Gradient.abs().max().item<float>() > 1e-3f);
    }

    [Fact]
    public void Adam_is_that_of_PyTorch()
    {
        foreach (var golden in GoldenData.Root.GetProperty("adam").EnumerateArray())
        {
            using var scope = NewDisposeScope();
            var parameters = Centred(2, 20);
            var adam = new Adam(zeros(20), zeros(20), 0.02, golden.GetProperty("weightDecay").GetDouble());
            for (var step = 1; step <= golden.GetProperty("steps").GetInt32(); step++)
            {
                adam.Step(parameters, Centred(9 + step, 20), step);
            }

            Assert.All(
                golden.GetProperty("parameters").Numbers().Zip(HeadNetwork.Download(parameters)),
                pair => Assert.Equal(pair.First, pair.Second, 1e-6)
            );
        }

        static Tensor Centred(int stream, int count) =>
            TensorData.FromValues(Array.ConvertAll(GoldenData.Draw(stream, count), value => (float)(value - 0.5)), count).ToTensor();
    }

    [Fact]
    public void Means_and_deviations_are_those_of_scikit_learn_and_of_training_rows_only()
    {
        var values = Array.ConvertAll(GoldenData.Draw(6, 50 * 4), value => (float)(value * 10));
        for (var row = 0; row < 50; row++)
        {
            values[(row * 4) + 2] = 0.1f;
        }

        using var data = FeatureData.Create(
            new FeatureMatrix(values, 50, 4),
            new int[50],
            [.. Enumerable.Range(0, 40)],
            [.. Enumerable.Range(40, 10)],
            CPU
        );
        var (mean, std) = FeatureScaling.Measure(data);

        var golden = GoldenData.Root.GetProperty("scaling");
        Assert.All(golden.GetProperty("mean").Numbers().Zip(mean), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
        Assert.All(golden.GetProperty("scale").Numbers().Zip(std), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
        Assert.Equal(1, std[2]);
    }

    [Theory]
    [MemberData(nameof(Definitions))]
    public void Heads_learn_and_the_export_predicts_as_validation_did(string name)
    {
        using var data = Data(200, 60);
        var start = AdamTrainer.Start(Definition(name), new(25, 16, 0.02, 0, 0, 0), data, Classes);
        var outcome = AdamTrainer.Train(start, data, () => false);
        var head = TrainedHead.Load(outcome.State.ExportBest());
        var features = Matrix(260);
        var validation = new FeatureMatrix(features.Values[(200 * Size)..], 60, Size);

        var report = ClassificationMetrics.Compute(head.Logits(validation), Labels(260).AsSpan(200), Classes, 2);

        var best = outcome.Epochs[outcome.State.BestEpoch];
        Assert.True(best.ValidationAccuracy > 0.9, $"accuracy {best.ValidationAccuracy}");
        Assert.Equal(best.ValidationAccuracy!.Value, report.Accuracy.Value, 1e-12);
        Assert.Equal(best.ValidationLoss!.Value, report.CrossEntropy, 1e-5);
        Assert.Equal(outcome.Epochs.Max(epoch => epoch.ValidationAccuracy), best.ValidationAccuracy);
        var probabilities = head.Probabilities(head.Logits(validation));
        Assert.All(Enumerable.Range(0, 60), row => Assert.Equal(1, probabilities.AsSpan(row * Classes, Classes).ToArray().Sum(), 1e-5f));
        Assert.Equal(outcome.State.ExportBest(), AdamState.FromBytes(outcome.State.ToBytes()).ExportBest());
    }

    [Fact]
    public void Patience_ends_training_and_keeps_the_best_epoch()
    {
        using var data = Data(40, 20);
        var start = AdamTrainer.Start(HeadDefinition.Linear, new(500, 8, 0.5, 0, 3, 0), data, Classes);
        var outcome = AdamTrainer.Train(start, data, () => false);

        Assert.True(outcome.State.Finished);
        Assert.InRange(outcome.Epochs.Count, 4, 499);
        Assert.Equal(outcome.Epochs.Count - 1 - 3, outcome.State.BestEpoch);
        Assert.Equal(3, outcome.State.EpochsSinceBest);
        var best = outcome
            .Epochs.OrderByDescending(epoch => epoch.ValidationAccuracy)
            .ThenBy(epoch => epoch.ValidationLoss)
            .ThenBy(epoch => epoch.Epoch)
            .First();
        Assert.Equal(best.Epoch, outcome.State.BestEpoch);
        Assert.NotEqual(outcome.State.Parameters, outcome.State.Best);
        Assert.Empty(AdamTrainer.Train(outcome.State, data, () => false).Epochs);
    }

    [Fact]
    public void Without_validation_the_last_epoch_is_the_best()
    {
        using var data = Data(20, 0);
        var outcome = AdamTrainer.Train(
            AdamTrainer.Start(HeadDefinition.Linear, new(3, 8, 0.01, 0, 2, 0), data, Classes),
            data,
            () => false
        );

        Assert.Equal(3, outcome.Epochs.Count);
        Assert.All(outcome.Epochs, epoch => Assert.Null(epoch.ValidationLoss));
        Assert.Equal(2, outcome.State.BestEpoch);
        Assert.Equal(outcome.State.Parameters, outcome.State.Best);
        Assert.NotEmpty(outcome.State.ExportBest());
    }

    [Fact]
    public void Seeds_and_only_seeds_change_the_bits()
    {
        using var data = Data(20, 8);
        byte[] Train(int seed) =>
            AdamTrainer.Train(AdamTrainer.Start(Mlp, new(2, 8, 0.01, 0, 0, seed), data, Classes), data, () => false).State.ExportBest();

        var one = Train(1);
        using (TorchEnvironment.WithThreads(2))
        {
            Assert.Equal(one, Train(1));
        }

        Assert.NotEqual(one, Train(2));
    }

    [Fact]
    public void What_cannot_be_trained_is_named()
    {
        using var data = Data(20, 8);
        var options = AdamOptions.Default;
        void Refused(string expected, Func<object> start) =>
            Assert.Contains(expected, Assert.ThrowsAny<ArgumentException>(() => start()).Message, StringComparison.Ordinal);

        Refused("hidden layers", () => AdamTrainer.Start(new(HeadKind.Linear, [3], 0), options, data, Classes));
        Refused("hidden layers", () => AdamTrainer.Start(new(HeadKind.Mlp, [], 0), options, data, Classes));
        Refused("hidden sizes", () => AdamTrainer.Start(new(HeadKind.Mlp, [0], 0), options, data, Classes));
        Refused("dropout 1", () => AdamTrainer.Start(new(HeadKind.Linear, [], 1), options, data, Classes));
        Refused(
            "learning rate NaN",
            () => AdamTrainer.Start(HeadDefinition.Linear, options with { LearningRate = double.NaN }, data, Classes)
        );
        Refused("weight decay -1", () => AdamTrainer.Start(HeadDefinition.Linear, options with { WeightDecay = -1 }, data, Classes));
        Refused("Epochs", () => AdamTrainer.Start(HeadDefinition.Linear, options with { Epochs = 0 }, data, Classes));
        Refused("labels run from 0 to 2", () => AdamTrainer.Start(HeadDefinition.Linear, options, data, 2));
        Refused("rows", () => FeatureData.Create(new FeatureMatrix(new float[6], 1, 6), [0], [1], [], CPU));
        Refused("2 labels of 1 images", () => FeatureData.Create(new FeatureMatrix(new float[6], 1, 6), [0, 0], [0], [], CPU));
        Refused("rows to train", () => FeatureData.Create(new FeatureMatrix(new float[6], 1, 6), [0], [], [], CPU));
        using var broken = FeatureData.Create(new FeatureMatrix([float.NaN, 1], 2, 1), [0, 1], [0, 1], [], CPU);
        Assert.Contains(
            "Feature 0",
            Assert.Throws<HeadTrainingException>(() => AdamTrainer.Start(HeadDefinition.Linear, options, broken, 2)).Message,
            StringComparison.Ordinal
        );
        var start = AdamTrainer.Start(HeadDefinition.Linear, options, data, Classes);
        Refused("features", () => AdamTrainer.Train(start, broken, () => false));
        Assert.Throws<InvalidOperationException>(() => start.ExportBest());
    }

    [Fact]
    public void A_learning_rate_that_diverges_is_named()
    {
        using var data = Data(20, 8);
        var start = AdamTrainer.Start(Mlp, new(50, 8, 1e30, 0, 0, 0), data, Classes);
        Assert.Contains(
            "1E+30",
            Assert.Throws<HeadTrainingException>(() => AdamTrainer.Train(start, data, () => false)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Cancellation_ends_a_slice_without_a_trace()
    {
        using var data = Data(20, 8);
        using var cancel = new CancellationTokenSource();
        var start = AdamTrainer.Start(HeadDefinition.Linear, AdamOptions.Default, data, Classes);
        var before = start.ToBytes();
        Assert.Throws<OperationCanceledException>(() => AdamTrainer.Train(start, data, () => false, _ => cancel.Cancel(), cancel.Token));
        Assert.Equal(before, start.ToBytes());
    }

    [Fact]
    public void Damaged_checkpoints_give_nothing_but_the_error_of_weights()
    {
        using var data = Data(20, 8);
        var state = AdamTrainer.Train(AdamTrainer.Start(Mlp, new(1, 8, 0.01, 0, 0, 0), data, Classes), data, () => false).State;
        byte[][] files = [state.ToBytes(), state.ExportBest()];
        var emptyBatches = state with { Options = state.Options with { BatchSize = 0 } };
        Assert.Contains(
            "BatchSize",
            Assert.Throws<WeightsException>(() => AdamState.FromBytes(emptyBatches.ToBytes())).Message,
            StringComparison.Ordinal
        );
        Gen.Select(Gen.Bool, Gen.Int[0, 1800], Gen.Byte)
            .Sample(
                (whole, at, value) =>
                {
                    var damaged = (byte[])files[whole ? 0 : 1].Clone();
                    damaged[at % damaged.Length] = value;
                    try
                    {
                        _ = whole ? (object)AdamState.FromBytes(damaged) : TrainedHead.Load(damaged);
                    }
                    catch (WeightsException) { }
                },
                iter: 3000
            );
        Assert.Contains(
            "distributed-head-training/1",
            Assert.Throws<WeightsException>(() => TrainedHead.Load(files[0])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_head_tells_what_it_is_for_and_those_of_the_first_versions_do_not()
    {
        using var data = Data(20, 8);
        var state = AdamTrainer.Train(AdamTrainer.Start(Mlp, new(1, 8, 0.01, 0, 0, 0), data, Classes), data, () => false).State;
        var origin = new HeadOrigin(
            ["Möwe \u2028", "a,b", "\"c\""],
            "densenet121",
            new string('a', 64),
            "size=96",
            "fp32",
            new string('b', 64)
        );

        var read = TrainedHead.Load(state.ExportBest(origin)).Origin!;

        Assert.Equal(origin.ClassNames, read.ClassNames);
        Assert.Equal(origin with { ClassNames = read.ClassNames }, read);
        Assert.Null(TrainedHead.Load(state.ExportBest()).Origin);
        Assert.Throws<ArgumentException>(() => state.ExportBest(origin with { ClassNames = ["one"] }));
    }

    [Fact]
    public void A_head_with_values_that_are_not_finite_is_refused()
    {
        using var data = Data(20, 8);
        var state = AdamTrainer.Train(AdamTrainer.Start(Mlp, new(1, 8, 0.01, 0, 0, 0), data, Classes), data, () => false).State;
        var broken = state with { Best = [float.NaN, .. state.Best[1..]] };
        var flat = state with { Std = [0, .. state.Std[1..]] };

        Assert.Contains(
            "1 in all",
            Assert.Throws<WeightsException>(() => TrainedHead.Load(broken.ExportBest(), "X")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "1 in all",
            Assert.Throws<WeightsException>(() => TrainedHead.Load(flat.ExportBest(), "X")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Features_that_are_the_same_for_all_images_are_refused()
    {
        using var same = FeatureData.Create(new FeatureMatrix([1, 2, 1, 2, 1, 2], 3, 2), [0, 1, 0], [0, 1, 2], [], CPU);

        Assert.Contains(
            "All 3 training images have the same 2 features",
            Assert.Throws<HeadTrainingException>(() => FeatureScaling.Measure(same)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Checkpoints_that_describe_more_than_they_hold_take_no_memory()
    {
        var metadata = HeadFile.Describe("distributed-head/1", new HeadDefinition(HeadKind.Mlp, [8192], 0), 64_000, 10);
        var bytes = SafetensorsWriter.ToBytes(new Dictionary<string, TensorData>(), metadata);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("too few", Assert.Throws<WeightsException>(() => TrainedHead.Load(bytes)).Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Training_leaves_no_tensors_behind()
    {
        using var data = Data(20, 8);
        var start = AdamTrainer.Start(Mlp, new(2, 8, 0.01, 0, 0, 0), data, Classes);
        AdamTrainer.Train(start, data, () => false);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = Tensor.TotalCount;
        var outcome = AdamTrainer.Train(start, data, () => true);
        TrainedHead.Load(AdamTrainer.Train(outcome.State, data, () => false).State.ExportBest()).Logits(Matrix(5));
        Assert.Equal(before, Tensor.TotalCount);
    }

    private static HeadDefinition Definition(string name) =>
        name switch
        {
            "linear" => HeadDefinition.Linear,
            "linear with dropout" => new HeadDefinition(HeadKind.Linear, [], 0.25),
            _ => Mlp with { HiddenSizes = [12, 8], Dropout = 0.1 },
        };

    private static FeatureData Data(int train, int validation)
    {
        var count = train + validation;
        return FeatureData.Create(
            Matrix(count),
            Labels(count),
            [.. Enumerable.Range(0, train)],
            [.. Enumerable.Range(train, validation)],
            CPU
        );
    }

    private static int[] Labels(int count) => [.. Enumerable.Range(0, count).Select(i => i % Classes)];

    /// <summary>Noise, with the features of the image's class raised.</summary>
    private static FeatureMatrix Matrix(int count)
    {
        var values = Array.ConvertAll(GoldenData.Draw(20, count * Size), value => (float)value);
        for (var i = 0; i < values.Length; i++)
        {
            values[i] += i % Size % Classes == i / Size % Classes ? 0.6f : 0;
        }

        return new FeatureMatrix(values, count, Size);
    }
}
