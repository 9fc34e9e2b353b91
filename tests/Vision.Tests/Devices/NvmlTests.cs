using Distributed.Vision.Devices;

namespace Distributed.Vision.Tests.Devices;

public sealed class NvmlTests
{
    [Fact]
    public void With_NVIDIAs_driver_every_GPU_has_a_name_and_memory_and_without_it_there_is_nothing_to_ask()
    {
        using var nvml = Nvml.Open();

        if (nvml is null)
        {
            Assert.False(TorchSharp.torch.cuda.is_available(), "There is a GPU, and NVIDIA's library was not found.");
            return;
        }

        Assert.All(
            nvml.Read(),
            gpu =>
            {
                Assert.NotEmpty(gpu.Name);
                Assert.InRange(gpu.Utilization, 0, 1);
                Assert.InRange(gpu.MemoryUsed, 0, gpu.MemoryLimit);
            }
        );
    }
}
