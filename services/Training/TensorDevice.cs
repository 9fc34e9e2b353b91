using Distributed.Jobs;
using Distributed.Pipeline;
using Distributed.Vision.Devices;
using Distributed.Vision.Heads;
using Distributed.Vision.Weights;
using Microsoft.Extensions.Options;
using TorchSharp;

namespace Distributed.Training;

/// <summary>
/// Where this worker computes, chosen once. A check shows that there is such a device and that it computes; what tensors need is
/// loaded by it, so that the first job need not wait.
/// </summary>
internal sealed class TensorDevice(TensorThread tensors, IOptions<TrainingOptions> options) : IHostCheck
{
    private readonly Lazy<torch.Device> _device = new(() => TorchEnvironment.ChooseDevice(options.Value.Device));

    public string Name => "device";

    public string? Resource => RunStages.Tensors;

    public torch.Device Device => _device.Value;

    /// <summary>The device, once it is chosen.</summary>
    public torch.Device? Chosen => _device.IsValueCreated ? _device.Value : null;

    public async Task<HostCheckResult> CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await tensors.RunAsync(_ => Check(), cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return HostCheckResult.Broken(TorchEnvironment.Explain(exception));
        }
    }

    private HostCheckResult Check()
    {
        TorchEnvironment.Prove(torch.CPU);
        try
        {
            _ = Device;
        }
        catch (ArgumentException exception)
        {
            return HostCheckResult.Misconfigured(
                $"{TrainingOptions.Section}__{nameof(TrainingOptions.Device)} is '{options.Value.Device}'. {exception.Message}"
            );
        }

        TorchEnvironment.Prove(Device);
        HeadTraining.WarmUp(Device);
        return File.Exists(BackboneSource.DemoPath)
            ? HostCheckResult.Passed
            : HostCheckResult.Broken(
                $"The demo weights '{BackboneSource.DemoPath}' are missing. They belong to the host's files: install them again."
            );
    }
}
