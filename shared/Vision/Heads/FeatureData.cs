using System.Runtime.InteropServices;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Heads;

/// <summary>What a head learns from: features, labels, and which rows are for training and which for validation.</summary>
/// <remarks>Owns its tensors.</remarks>
public sealed class FeatureData : IDisposable
{
    private (float[] Mean, float[] Std, PrincipalComponents Components)? _components;

    /// <summary>Takes tensors over.</summary>
    /// <param name="features">float32 [n, d], contiguous.</param>
    /// <param name="labels">int64 [n] on the same device.</param>
    /// <param name="train">Rows to train on, at least one.</param>
    /// <param name="validation">Rows to validate on; may be empty.</param>
    /// <exception cref="ArgumentException">Types or shapes are others, or a row is out of range.</exception>
    public FeatureData(torch.Tensor features, torch.Tensor labels, int[] train, int[] validation)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(validation);
        if (
            features.dtype != torch.ScalarType.Float32
            || features.dim() != 2
            || labels.dtype != torch.ScalarType.Int64
            || labels.dim() != 1
            || labels.shape[0] != features.shape[0]
        )
        {
            throw new ArgumentException(
                $"Features have to be Float32 [n, d] and labels Int64 [n], not {features.dtype} "
                    + $"[{string.Join(", ", features.shape)}] and {labels.dtype} [{string.Join(", ", labels.shape)}]."
            );
        }

        var count = features.shape[0];
        if (train.Length == 0 || train.Concat(validation).Any(row => row < 0 || row >= count))
        {
            throw new ArgumentException($"There have to be rows to train on, and all rows have to be among the {count} of the features.");
        }

        Features = features.DetachFromDisposeScope();
        Labels = labels.DetachFromDisposeScope();
        Train = train;
        Validation = validation;
    }

    /// <summary>float32 [n, d].</summary>
    public torch.Tensor Features { get; }

    /// <summary>int64 [n].</summary>
    public torch.Tensor Labels { get; }

    /// <summary>Rows to train on.</summary>
    public int[] Train { get; }

    /// <summary>Rows to validate on.</summary>
    public int[] Validation { get; }

    /// <summary>Feature dimension.</summary>
    public int FeatureSize => (int)Features.shape[1];

    /// <summary>Copies features and labels to a device.</summary>
    /// <param name="features">Features of all images.</param>
    /// <param name="labels">Zero-based class of each.</param>
    /// <param name="train">Rows to train on, at least one.</param>
    /// <param name="validation">Rows to validate on; may be empty.</param>
    /// <param name="device">Where to train; heads are small, so the CPU is rarely worse.</param>
    /// <exception cref="ArgumentException">The labels are not as many as the features, or a row is out of range.</exception>
    public static FeatureData Create(FeatureMatrix features, ReadOnlySpan<int> labels, int[] train, int[] validation, torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(features);
        var wide = new long[labels.Length];
        for (var i = 0; i < wide.Length; i++)
        {
            wide[i] = labels[i];
        }

        using var scope = torch.NewDisposeScope();
        return new FeatureData(
            Copy(features).to(device),
            TensorData.FromValues(wide, wide.Length).ToTensor().to(device),
            train,
            validation
        );
    }

    /// <summary>The principal components that the solver computes in; kept, since runs and slices on the same data share them.</summary>
    internal PrincipalComponents ProjectFeatures(float[] mean, float[] std)
    {
        if (_components is not { } known || !known.Mean.AsSpan().SequenceEqual(mean) || !known.Std.AsSpan().SequenceEqual(std))
        {
            _components?.Components.Dispose();
            _components = null;
            _components = known = (mean, std, PrincipalComponents.Create(this, mean, std));
        }

        return known.Components;
    }

    /// <summary>In pieces, since TorchSharp shows at most 2 GiB of a tensor at once.</summary>
    private static torch.Tensor Copy(FeatureMatrix features)
    {
        const int bytesAtOnce = 1 << 28;
        var tensor = torch.empty(features.Count, features.Size);
        var rowsAtOnce = Math.Max(bytesAtOnce / sizeof(float) / features.Size, 1);
        for (var first = 0; first < features.Count; first += rowsAtOnce)
        {
            var count = Math.Min(rowsAtOnce, features.Count - first);
            using var rows = tensor.narrow(0, first, count);
            MemoryMarshal.AsBytes(features.Values.AsSpan(first * features.Size, count * features.Size)).CopyTo(rows.bytes);
        }

        return tensor;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _components?.Components.Dispose();
        Features.Dispose();
        Labels.Dispose();
    }
}
