using Distributed.Networks;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>A network that this library has the graph of, however it is computed.</summary>
internal abstract class Backbone(BackboneWeights weights, Precision precision, Device device) : IBackbone
{
    public BackboneWeights Weights => weights;

    public NetworkArchitecture Architecture => weights.Architecture;

    public string Name => Architecture.Name;

    public string Sha256 => weights.Sha256;

    public OnnxUse? Onnx => weights.Onnx;

    public string Origin => $"{Architecture.Title}, {weights.Origin}";

    public int FeatureSize => Architecture.FeatureSize;

    public int SmallestInput => Architecture.SmallestInput;

    public int? OnlyInput => null;

    public Preprocessing Preprocessing => weights.Preprocessing;

    public Precision Precision => precision;

    public Device Device => device;

    public virtual bool TakesAnyBatch => false;

    public IBackbone ConvertTo(Precision other, Device otherDevice) => EngineFactory.Create(weights, other, otherDevice);

    public Tensor Features(Tensor images)
    {
        ArgumentNullException.ThrowIfNull(images);
        var shape = images.shape;
        if (images.dtype != ScalarType.Byte || shape is not [_, _, _, 3] || Math.Min(shape[1], shape[2]) < SmallestInput)
        {
            throw new ArgumentException(
                $"{Name} takes uint8 images [n, height, width, 3] of at least {SmallestInput} px, not {images.dtype} "
                    + $"[{string.Join(", ", shape)}].",
                nameof(images)
            );
        }

        if (shape[1] % Architecture.SizeMultiple != 0 || shape[2] % Architecture.SizeMultiple != 0)
        {
            throw new WeightsException(
                $"{Origin} takes images of multiples of {Architecture.SizeMultiple} px, and these have {shape[2]} × {shape[1]}. Give another "
                    + "input size."
            );
        }

        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        return Compute(images).MoveToOuterDisposeScope();
    }

    public abstract void Dispose();

    /// <summary>Features of images whose shape is right; what else it makes is disposed behind it.</summary>
    protected abstract Tensor Compute(Tensor images);
}
