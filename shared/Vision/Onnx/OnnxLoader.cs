using System.Security.Cryptography;
using System.Text;
using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Onnx;

/// <summary>Loads models from outside as bases: into our kernels where they know all layers, else into ONNX Runtime.</summary>
internal static class OnnxLoader
{
    /// <summary>What begins the name of every base from outside.</summary>
    public const string NamePrefix = "onnx-";

    /// <summary>Loads one.</summary>
    /// <param name="file">The model.</param>
    /// <param name="settings">How it is used.</param>
    /// <param name="title">What people call it.</param>
    /// <exception cref="WeightsException">It is no base: it takes no images, or gives no features.</exception>
    public static IBackbone Load(OnnxFile file, OnnxSettings settings, string title)
    {
        var input = OnnxInput.Of(file);
        var chosen = OnnxFeatures.Choose(file, settings.Output);
        // The same file used in two ways is two bases.
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"onnx\n{file.Sha256}\n{settings.Write()}")));
        var identity = new OnnxIdentity(
            NamePrefix + file.Sha256[..8],
            sha256,
            chosen.Note is null ? $"ONNX, {title}" : $"ONNX, {title}; {chosen.Note}",
            new OnnxUse(file.Sha256, settings)
        );
        return Import(file, input, chosen, settings, identity) is { } weights
            ? new PlainBackbone(weights)
            : new OnnxBackbone(file, identity, input, chosen, settings);
    }

    /// <summary>The model as a network of ours; null where there are no kernels for it.</summary>
    private static BackboneWeights? Import(
        OnnxFile file,
        OnnxInput input,
        OnnxFeatures chosen,
        OnnxSettings settings,
        OnnxIdentity identity
    )
    {
        var size = input.Size ?? OnnxInput.UsualSize;
        if (
            input.IsChannelsLast
            || new OnnxImport(file, input.Name, size, settings.IsBgr).TryImport(chosen.Tensor) is not { } network
            || size % network.SizeMultiple != 0
            || !CompiledBackbone.Knows(new NetworkGraph(network.Output).Folded())
        )
        {
            return null;
        }

        var architecture = new NetworkArchitecture(
            identity.Name,
            "ONNX",
            settings.Preprocessing with
            {
                IsBgr = false,
            },
            smallestInput: 32,
            () => network.Output,
            network.SizeMultiple
        );
        return BackboneWeights.Of(
            architecture,
            network.Tensors,
            file.Source,
            identity.Sha256,
            identity.Origin["ONNX, ".Length..],
            identity.Use
        );
    }
}
