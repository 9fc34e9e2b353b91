using System.Globalization;
using Distributed.ServiceDefaults;
using Distributed.Vision.Devices;
using TorchSharp;

namespace Distributed.Training;

/// <summary>Says what this worker computes on.</summary>
internal sealed class TrainingDevice(TensorDevice device, GpuMetrics gpus) : IWorkerDevice
{
    public WorkerDevice? Read()
    {
        if (device.Chosen is not { } chosen)
        {
            return null;
        }

        var gpu =
            chosen.type == DeviceType.CUDA
                ? gpus.Read().FirstOrDefault(one => one.Id == chosen.index.ToString(CultureInfo.InvariantCulture))
                : null;
        return new WorkerDevice(chosen.ToString(), gpu?.Name, gpu?.Utilization, gpu?.MemoryUsed, gpu?.MemoryLimit);
    }
}
