using Distributed.Jobs;
using Distributed.Pipeline;
using Distributed.Vision.Devices;
using TorchSharp;

namespace Distributed.Evaluation;

/// <summary>Heads are evaluated with tensors of the processor: LibTorch is there, and computes.</summary>
internal sealed class TensorCheck(TensorThread tensors) : IHostCheck
{
    public string Name => "tensors";

    public string? Resource => RunStages.Tensors;

    public async Task<HostCheckResult> CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await tensors.RunAsync(
                _ =>
                {
                    TorchEnvironment.Prove(torch.CPU);
                    return HostCheckResult.Passed;
                },
                cancellationToken
            );
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return HostCheckResult.Broken(TorchEnvironment.Explain(exception));
        }
    }
}
