using Distributed.Vision;
using Microsoft.Extensions.Options;
using TorchSharp;

namespace Distributed.Training;

/// <summary>Where this worker computes, chosen once.</summary>
internal sealed class TensorDevice(IOptions<TrainingOptions> options)
{
    public torch.Device Device { get; } = TorchEnvironment.ChooseDevice(options.Value.Device);
}
