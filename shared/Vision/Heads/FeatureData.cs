using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Heads;

/// <summary>
/// What a head learns from: features and labels, those of the training images first, those of the validation images behind them. The features
/// are held once: training along a regularisation path (<see cref="RegularisationPath"/>) turns them into principal components in place,
/// and only heads of that kind can be trained on them from then on.
/// </summary>
/// <remarks>Owns its memory. Call it from one dedicated thread: see <see cref="Devices.TensorThread"/>.</remarks>
public sealed class FeatureData : IDisposable
{
    private readonly torch.Device _device;
    private readonly int[] _classes;

    /// <summary>Features as they are; null once they were projected, or an attempt at that failed.</summary>
    private AlignedRows? _rows;
    private torch.Tensor? _features;
    private torch.Tensor? _validation;
    private (float[] Mean, float[] Std)? _scaling;
    private (float[] Mean, float[] Std, PrincipalComponents Components)? _components;

    private FeatureData(AlignedRows rows, int size, int[] classes, int train, torch.Device device)
    {
        (_rows, FeatureSize, _classes, TrainCount, _device) = (rows, size, classes, train, device);
        using var scope = torch.NewDisposeScope();
        Labels = TensorData
            .FromValues(Array.ConvertAll(classes, label => (long)label), classes.Length)
            .ToTensor()
            .to(device)
            .DetachFromDisposeScope();
    }

    /// <summary>Training images, at least 1.</summary>
    public int TrainCount { get; }

    /// <summary>Validation images; may be none.</summary>
    public int ValidationCount => _classes.Length - TrainCount;

    /// <summary>Feature dimension.</summary>
    public int FeatureSize { get; }

    /// <summary>Whether the features are there as they are.</summary>
    public bool HasFeatures => _rows is not null;

    /// <summary>Whether the features are there as principal components: see <see cref="RegularisationPath"/>.</summary>
    public bool HasComponents => _components is not null;

    /// <summary>float32 [n, d], on the device.</summary>
    /// <exception cref="InvalidOperationException">They are not there any more: see <see cref="HasFeatures"/>.</exception>
    public torch.Tensor Features => _features ??= Upload();

    /// <summary>int64 [n], on the device.</summary>
    public torch.Tensor Labels { get; }

    /// <summary>Classes of the validation images.</summary>
    internal int[] ValidationClasses => _classes[TrainCount..];

    private AlignedRows Rows =>
        _rows
        ?? throw new InvalidOperationException(
            "The features were turned into principal components in place: load them again to train another kind of head on them."
        );

    /// <summary>Reads features and labels.</summary>
    /// <param name="features">Features of all images; those of other rows than the ones named are not kept.</param>
    /// <param name="labels">Zero-based class of each.</param>
    /// <param name="train">Rows to train on, at least one.</param>
    /// <param name="validation">Rows to validate on; may be empty.</param>
    /// <param name="device">Where to train; heads are small, so the CPU is rarely worse.</param>
    /// <exception cref="ArgumentException">The labels are not as many as the features, or a row is out of range.</exception>
    /// <exception cref="WeightsException">A file of features is damaged.</exception>
    public static FeatureData Create(IFeatureSource features, ReadOnlySpan<int> labels, int[] train, int[] validation, torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(validation);
        if (labels.Length != features.Count)
        {
            throw new ArgumentException($"There are {labels.Length} labels of {features.Count} images.", nameof(labels));
        }

        int[] order = [.. train, .. validation];
        if (train.Length == 0 || order.Min() < 0 || order.Max() >= features.Count)
        {
            throw new ArgumentException(
                $"There have to be rows to train on, and all rows have to be among the {features.Count} of the features."
            );
        }

        var classes = new int[order.Length];
        for (var i = 0; i < classes.Length; i++)
        {
            classes[i] = labels[order[i]];
        }

        // With room for the number that stands for the biases, behind the features or behind as many principal components.
        var rows = new AlignedRows(order.Length, features.Size + 1);
        try
        {
            features.Read(order, index => rows[index]);
            for (var row = 0; row < order.Length; row++)
            {
                rows[row][features.Size] = 0;
            }

            return new FeatureData(rows, features.Size, classes, train.Length, device);
        }
        catch
        {
            rows.Dispose();
            throw;
        }
    }

    /// <summary>The features of one image.</summary>
    internal ReadOnlySpan<float> Row(int row) => Rows[row][..FeatureSize];

    /// <summary>Features of some validation images as they are, float32 [count, d] on the CPU.</summary>
    /// <param name="first">The first one among the validation images.</param>
    /// <param name="count">How many.</param>
    internal torch.Tensor ReadValidation(int first, int count) =>
        _validation is { } validation ? validation.narrow(0, first, count) : Copy(TrainCount + first, count);

    /// <summary>Means and deviations of the training features; kept, since they cannot be measured any more when the features were projected.</summary>
    /// <inheritdoc cref="FeatureScaling.Measure"/>
    internal (float[] Mean, float[] Std) MeasureScaling() => _scaling ??= FeatureScaling.Measure(this);

    /// <summary>The principal components that the solver computes in; kept, since runs and slices on the same data share them.</summary>
    /// <exception cref="ArgumentException">The features were projected already, with another standardisation.</exception>
    internal PrincipalComponents ProjectFeatures(float[] mean, float[] std)
    {
        if (_components is { } known)
        {
            return known.Mean.AsSpan().SequenceEqual(mean) && known.Std.AsSpan().SequenceEqual(std)
                ? known.Components
                : throw new ArgumentException(
                    "The data are not those that training began with: their features have other means and deviations.",
                    nameof(mean)
                );
        }

        var rows = Rows;
        // The next training may begin on these data, where this one goes on with what another worker measured.
        MeasureScaling();
        // A head is calibrated on the validation images as they are.
        _validation = ValidationCount > 0 ? Copy(TrainCount, ValidationCount).DetachFromDisposeScope() : null;
        _features?.Dispose();
        // If it fails midway, some rows are no features any more.
        (_rows, _features) = (null, null);
        try
        {
            var components = PrincipalComponents.Create(rows, _classes, mean, std, _device);
            _components = (mean, std, components);
            return components;
        }
        finally
        {
            if (_components?.Components.Values != rows)
            {
                rows.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _components?.Components.Dispose();
        _features?.Dispose();
        _validation?.Dispose();
        _rows?.Dispose();
        Labels.Dispose();
    }

    /// <summary>The features on the device: where that is the CPU, as they lie in memory.</summary>
    private torch.Tensor Upload()
    {
        const int rowsAtOnce = 1 << 16;
        if (_device.type == DeviceType.CPU)
        {
            return Rows.View(0, Rows.Count, 0, FeatureSize).DetachFromDisposeScope();
        }

        using var scope = torch.NewDisposeScope();
        var features = torch.empty([Rows.Count, FeatureSize], torch.ScalarType.Float32, _device);
        for (var first = 0; first < Rows.Count; first += rowsAtOnce)
        {
            using var inner = torch.NewDisposeScope();
            var count = Math.Min(rowsAtOnce, Rows.Count - first);
            features.narrow(0, first, count).copy_(Copy(first, count));
        }

        return features.DetachFromDisposeScope();
    }

    /// <summary>A copy: of a single row, a contiguous tensor would be the very memory that is about to be projected.</summary>
    private torch.Tensor Copy(int first, int count)
    {
        using var rows = Rows.View(first, count, 0, FeatureSize);
        var copy = torch.empty(count, FeatureSize);
        copy.copy_(rows);
        return copy;
    }
}
