using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Distributed.Vision.Heads;

/// <summary>Training under way: a state's numbers on the device, and where in the epoch it stands.</summary>
internal sealed class AdamSlice : IDisposable
{
    private readonly AdamState _start;
    private readonly FeatureData _data;
    private readonly HeadLayout _layout;
    private readonly HeadNetwork _network;
    private readonly Tensor _first;
    private readonly Tensor _second;
    private readonly Adam _adam;
    private readonly Tensor _lossSum;
    private readonly Tensor _correct;
    private float[] _best;
    private Tensor? _order;
    private int _epoch;
    private int _batch;
    private long _step;
    private int _bestEpoch;
    private double _bestAccuracy;
    private double _bestLoss;
    private int _epochsSinceBest;

    public AdamSlice(AdamState state, FeatureData data)
    {
        var device = data.Features.device;
        _start = state;
        _data = data;
        _layout = state.Layout;
        _network = new HeadNetwork(_layout, state.Parameters, state.Mean, state.Std, device);
        _first = HeadNetwork.Upload(state.FirstMoment, device);
        _second = HeadNetwork.Upload(state.SecondMoment, device);
        _adam = new Adam(_first, _second, state.Options.LearningRate, state.Options.WeightDecay);
        _lossSum = tensor(state.LossSum, ScalarType.Float64, device).DetachFromDisposeScope();
        _correct = tensor(state.Correct, ScalarType.Int64, device).DetachFromDisposeScope();
        _best = state.Best;
        (_epoch, _batch, _step) = (state.Epoch, state.Batch, state.Step);
        (_bestEpoch, _bestAccuracy, _bestLoss, _epochsSinceBest) = (
            state.BestEpoch,
            state.BestAccuracy,
            state.BestLoss,
            state.EpochsSinceBest
        );
        Finished = state.Finished;
    }

    public bool Finished { get; private set; }

    /// <summary>Trains one batch; where it is the epoch's last, ends the epoch and returns its metrics.</summary>
    public EpochMetrics? TrainBatch()
    {
        var options = _start.Options;
        _order ??= DrawOrder();
        var begin = _batch * options.BatchSize;
        var count = Math.Min(options.BatchSize, _data.TrainCount - begin);
        using (NewDisposeScope())
        {
            var rows = _order.narrow(0, begin, count);
            var (loss, correct) = _network.Differentiate(
                _data.Features.index_select(0, rows),
                _data.Labels.index_select(0, rows),
                layer => DrawMask(layer, count)
            );
            _lossSum.add_(loss);
            _correct.add_(correct);
            _adam.Step(_network.Parameters, _network.Gradient, ++_step);
        }

        _batch++;
        return begin + count == _data.TrainCount ? EndEpoch() : null;
    }

    public AdamState ToState() =>
        _start with
        {
            Epoch = _epoch,
            Batch = _batch,
            Step = _step,
            BestEpoch = _bestEpoch,
            BestAccuracy = _bestAccuracy,
            BestLoss = _bestLoss,
            EpochsSinceBest = _epochsSinceBest,
            Finished = Finished,
            LossSum = _lossSum.item<double>(),
            Correct = _correct.item<long>(),
            Parameters = HeadNetwork.Download(_network.Parameters),
            FirstMoment = HeadNetwork.Download(_first),
            SecondMoment = HeadNetwork.Download(_second),
            Best = _best,
        };

    public void Dispose()
    {
        _network.Dispose();
        _first.Dispose();
        _second.Dispose();
        _lossSum.Dispose();
        _correct.Dispose();
        _order?.Dispose();
    }

    private EpochMetrics EndEpoch()
    {
        var options = _start.Options;
        var trained = _data.TrainCount;
        var trainLoss = _lossSum.item<double>() / trained;
        if (!double.IsFinite(trainLoss))
        {
            throw new HeadTrainingException(
                $"The training loss of epoch {_epoch + 1} is {trainLoss}: the learning rate {options.LearningRate} is too high. "
                    + "Try a tenth of it."
            );
        }

        var metrics = new EpochMetrics(_epoch, trainLoss, (double)_correct.item<long>() / trained, null, null, options.LearningRate);
        if (_data.ValidationCount > 0)
        {
            var (loss, accuracy) = AdamTrainer.Validate(_network, _data);
            metrics = metrics with { ValidationLoss = loss, ValidationAccuracy = accuracy };
            Judge(_bestEpoch < 0 || accuracy > _bestAccuracy || (accuracy == _bestAccuracy && loss < _bestLoss), accuracy, loss);
        }
        else
        {
            Judge(better: true, accuracy: 0, loss: double.PositiveInfinity);
        }

        _order?.Dispose();
        _order = null;
        _lossSum.zero_();
        _correct.zero_();
        _batch = 0;
        _epoch++;
        Finished = _epoch == options.Epochs || (options.Patience > 0 && _epochsSinceBest >= options.Patience);
        return metrics;
    }

    private void Judge(bool better, double accuracy, double loss)
    {
        if (better)
        {
            (_bestEpoch, _bestAccuracy, _bestLoss, _epochsSinceBest) = (_epoch, accuracy, loss, 0);
            _best = HeadNetwork.Download(_network.Parameters);
        }
        else
        {
            _epochsSinceBest++;
        }
    }

    private Tensor DrawOrder()
    {
        int[] order = [.. Enumerable.Range(0, _data.TrainCount)];
        new SeededRandom(SeededRandom.Hash(_start.Options.Seed, (long)SeedPurpose.BatchOrder, _epoch)).Shuffle<int>(order);
        return AdamTrainer.Rows(order, _network.Device).DetachFromDisposeScope();
    }

    private Tensor DrawMask(int layer, int count)
    {
        var dropped = (float)_start.Definition.Dropout;
        var kept = 1 / (1 - dropped);
        var random = new SeededRandom(SeededRandom.Hash(_start.Options.Seed, (long)SeedPurpose.Dropout, _epoch, _batch, layer));
        var mask = empty(count, _layout.Layers[layer].Inputs);
        foreach (ref var value in MemoryMarshal.Cast<byte, float>(mask.bytes))
        {
            value = random.NextSingle() < dropped ? 0 : kept;
        }

        return mask.to(_network.Device);
    }
}
