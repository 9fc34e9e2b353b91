using Distributed.Contracts;
using Distributed.Networks;
using Distributed.Vision.Onnx;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>A base whose features are the mean over several views of an image: crops, mirror images.</summary>
public sealed class ViewedBackbone : IBackbone
{
    private readonly IBackbone _inner;

    private ViewedBackbone(IBackbone inner, FeatureViews views, int inputSize) => (_inner, Views, InputSize) = (inner, views, inputSize);

    /// <summary>The base that each view goes through.</summary>
    public IBackbone Inner => _inner;

    /// <summary>The views.</summary>
    public FeatureViews Views { get; }

    /// <summary>Side of a view, pixels; images are <see cref="FeatureViews.SquareOf"/> it.</summary>
    public int InputSize { get; }

    /// <inheritdoc/>
    public string Name => _inner.Name;

    /// <inheritdoc/>
    public string Sha256 => _inner.Sha256;

    /// <inheritdoc/>
    public OnnxUse? Onnx => _inner.Onnx;

    /// <inheritdoc/>
    public string Origin => _inner.Origin;

    /// <inheritdoc/>
    public int FeatureSize => _inner.FeatureSize;

    /// <inheritdoc/>
    public int SmallestInput => Views.SquareOf(InputSize);

    /// <inheritdoc/>
    public int? OnlyInput => Views.SquareOf(InputSize);

    /// <inheritdoc/>
    public Preprocessing Preprocessing => _inner.Preprocessing;

    /// <inheritdoc/>
    public string Normalisation => _inner.Normalisation;

    /// <inheritdoc/>
    public Precision Precision => _inner.Precision;

    /// <inheritdoc/>
    public Device Device => _inner.Device;

    /// <inheritdoc/>
    public bool TakesAnyBatch => _inner.TakesAnyBatch;

    /// <summary>Has a base compute several views.</summary>
    /// <param name="inner">The base; it is the result's own.</param>
    /// <param name="views">The views.</param>
    /// <param name="inputSize">Side of what goes through the base, pixels.</param>
    /// <returns>The base itself where there is one view.</returns>
    public static IBackbone Of(IBackbone inner, FeatureViews views, int inputSize)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentNullException.ThrowIfNull(views);
        return views == FeatureViews.One ? inner : new ViewedBackbone(inner, views, inputSize);
    }

    /// <inheritdoc/>
    public IBackbone ConvertTo(Precision precision, Device device) =>
        new ViewedBackbone(_inner.ConvertTo(precision, device), Views, InputSize);

    /// <inheritdoc/>
    public Tensor Features(Tensor images)
    {
        ArgumentNullException.ThrowIfNull(images);
        var side = Views.SquareOf(InputSize);
        if (images.shape is not [_, var height, var width, 3] || height != side || width != side)
        {
            throw new ArgumentException(
                $"{Name} takes images [n, {side}, {side}, 3] for these views, not [{string.Join(", ", images.shape)}].",
                nameof(images)
            );
        }

        using var scope = NewDisposeScope();
        var sum = zeros([images.shape[0], FeatureSize], device: Device);
        foreach (var (top, left) in Views.CropsOf(InputSize))
        {
            using var view = NewDisposeScope();
            var crop = images.narrow(1, top, InputSize).narrow(2, left, InputSize).contiguous();
            sum.add_(_inner.Features(crop));
            if (Views.Flip)
            {
                sum.add_(_inner.Features(crop.flip(2).contiguous()));
            }
        }

        return sum.div_(Views.Count).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _inner.Dispose();
}
