using Distributed.Vision;
using Microsoft.Extensions.Options;
using TorchSharp;

namespace Distributed.Training;

/// <summary>Where this worker computes, chosen once. What tensors need is loaded while the host starts, so that the first unit need not wait.</summary>
internal sealed class TensorDevice(TensorThread tensors, IOptions<TrainingOptions> options) : IHostedService
{
    private readonly Lazy<torch.Device> _device = new(() => TorchEnvironment.ChooseDevice(options.Value.Device));

    public torch.Device Device => _device.Value;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Nobody waits for it here: an error meets whoever asks for the device.
        _ = tensors.RunAsync(
            _ =>
            {
                HeadTraining.WarmUp(Device);
                return Device;
            },
            cancellationToken);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
