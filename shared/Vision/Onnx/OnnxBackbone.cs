using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision.Onnx;

/// <summary>A model from outside as a base, computed by ONNX Runtime in float32.</summary>
internal sealed class OnnxBackbone : IBackbone
{
    private readonly OnnxFile _file;
    private readonly OnnxInput _input;
    private readonly OnnxFeatures _chosen;
    private readonly OnnxSettings _settings;
    private readonly OnnxSession _session;

    public OnnxBackbone(OnnxFile file, OnnxIdentity identity, OnnxInput input, OnnxFeatures chosen, OnnxSettings settings)
    {
        (_file, Identity, _input, _chosen, _settings) = (file, identity, input, chosen, settings);
        _session = new OnnxSession(file, input, chosen, settings);
    }

    public string Name => Identity.Name;

    public string Sha256 => Identity.Sha256;

    public OnnxUse? Onnx => Identity.Use;

    public string Origin => Identity.Origin;

    public int FeatureSize => _session.FeatureSize;

    public int SmallestInput => _input.Size ?? 1;

    public int? OnlyInput => _input.Size;

    public Preprocessing Preprocessing => _settings.Preprocessing;

    public Precision Precision => Precision.Fp32;

    /// <summary>The processor, also where a GPU was asked for.</summary>
    public Device Device => CPU;

    public bool TakesAnyBatch => true;

    private OnnxIdentity Identity { get; }

    public IBackbone ConvertTo(Precision precision, Device device) =>
        precision == Precision.Fp32
            ? new OnnxBackbone(_file, Identity, _input, _chosen, _settings)
            : throw new WeightsException($"{Origin} is computed by ONNX Runtime, in fp32 alone. Leave the precision out, or give fp32.");

    public unsafe Tensor Features(Tensor images)
    {
        ArgumentNullException.ThrowIfNull(images);
        var shape = images.shape;
        if (
            images.dtype != ScalarType.Byte
            || shape is not [var count, var height, var width, 3]
            || height != width
            || height < SmallestInput
        )
        {
            throw new ArgumentException(
                $"{Name} takes square uint8 images [n, size, size, 3], not {images.dtype} [{string.Join(", ", shape)}].",
                nameof(images)
            );
        }

        if (OnlyInput is { } size && size != height)
        {
            throw new WeightsException($"{Origin} takes images of {size} px alone, and they have {height}. Give the input size {size}.");
        }

        using var scope = NewDisposeScope();
        var pixels = images.cpu().contiguous();
        var features = empty([count, FeatureSize], dtype: ScalarType.Float32);
        if (count > 0)
        {
            fixed (byte* source = pixels.bytes)
            fixed (byte* target = features.bytes)
            {
                _session.Run(source, (int)count, (int)height, (float*)target, get_num_threads());
            }
        }

        return features.MoveToOuterDisposeScope();
    }

    public void Dispose() => _session.Dispose();
}

/// <summary>What people and the catalog call a model from outside.</summary>
/// <param name="Name">Short, and another for every model.</param>
/// <param name="Sha256">Of the file, and of the settings where they are not those that any user of it has.</param>
/// <param name="Origin">One line for people.</param>
/// <param name="Use">The file, and how it is used.</param>
internal sealed record OnnxIdentity(string Name, string Sha256, string Origin, OnnxUse Use);
