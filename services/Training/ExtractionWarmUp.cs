using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Jobs;
using Distributed.Pipeline;
using Distributed.Vision.Weights;

namespace Distributed.Training;

/// <summary>Measures what a run's plan will ask for while its images are still coming in, where nothing else waits for the device.</summary>
internal sealed class ExtractionWarmUp(PriorityLimiter gate, HostChecks checks, BackboneStore backbones, AutotuningCache autotuning)
{
    /// <summary>Loads the weights and measures precision and batch size, as a job that has its turn.</summary>
    public async Task RunAsync(RunSpecification specification, CancellationToken cancellationToken)
    {
        if (specification.Precision is not null || specification.Compares)
        {
            return;
        }

        await checks.PassedAsync(RunStages.Tensors).WaitAsync(cancellationToken);
        using var turn = await gate.EnterAsync(RunStages.Tensors, specification.Priority, Timeout.InfiniteTimeSpan, cancellationToken);
        try
        {
            await autotuning.MeasureAsync(backbones.Load(specification), specification.InputSize, cancellationToken);
        }
        catch (Exception exception) when (exception is WeightsException or DatasetException or IOException)
        {
            // Weights that cannot be used, or are still to be fetched, and a volume that is away: the plan meets with the same, and says so.
        }
    }
}
