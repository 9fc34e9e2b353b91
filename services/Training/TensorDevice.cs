using Distributed.Vision;
using Microsoft.Extensions.Options;
using TorchSharp;

namespace Distributed.Training;

/// <summary>Where this worker computes, chosen once.</summary>
internal sealed class TensorDevice
{
    public TensorDevice(IOptions<TrainingOptions> options)
    {
        TorchEnvironment.SetThreads(options.Value.Threads);
        Device = TorchEnvironment.ChooseDevice(options.Value.Device);
    }

    public torch.Device Device { get; }
}
