using System.Runtime.InteropServices;
using Distributed.Vision.Devices;
using TorchSharp;

namespace Distributed.Vision.Tests.Devices;

public sealed class TorchEnvironmentTests
{
    [Fact]
    public void The_description_names_what_bits_depend_on()
    {
        using (TorchEnvironment.WithThreads(1))
        {
            var description = TorchEnvironment.Describe(TorchEnvironment.ChooseDevice("cpu"));

            Assert.NotEmpty(description.Processor);
            Assert.Equal((1, "cpu"), (description.Threads, description.Device));
            Assert.Equal("0.107.0", description.TorchSharp);
            Assert.StartsWith("2.10.0", description.LibTorch, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Threads_are_what_they_were_when_a_scope_ends()
    {
        var before = torch.get_num_threads();
        using (TorchEnvironment.WithThreads(before + 1))
        {
            Assert.Equal(before + 1, torch.get_num_threads());
            TorchEnvironment.SetThreads(0);
            Assert.Equal(before + 1, torch.get_num_threads());
        }

        Assert.Equal(before, torch.get_num_threads());
    }

    [Theory]
    [InlineData("gpu")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:99")]
    public void Devices_that_are_not_there_are_refused_with_a_remedy(string choice)
    {
        Assert.Contains(
            "cpu",
            Assert.Throws<ArgumentException>(() => TorchEnvironment.ChooseDevice(choice)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_automatic_choice_is_always_a_device() => Assert.NotNull(TorchEnvironment.ChooseDevice());

    [Fact]
    public void The_processor_computes_what_is_known() => TorchEnvironment.Prove(torch.CPU);

    [Fact]
    public void What_an_operator_is_told_tells_a_broken_gpu_from_missing_libraries()
    {
        Assert.StartsWith(
            "The GPU does not compute: CUDA error",
            TorchEnvironment.Explain(new DeviceFailure("CUDA error: unspecified launch failure")),
            StringComparison.Ordinal
        );
        var missing = TorchEnvironment.Explain(
            new TypeInitializationException("TorchSharp.torch", new DllNotFoundException("There is no libtorch."))
        );
        Assert.Equal(
            "LibTorch does not compute: There is no libtorch. Its libraries belong to the host's files: install them again.",
            missing
        );
    }

    /// <summary>As TorchSharp throws them, which only the runtime may.</summary>
    private sealed class DeviceFailure(string message) : ExternalException(message);
}
