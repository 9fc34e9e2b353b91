using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Distributed.Vision.Devices;

/// <summary>What a measurement or a set of bits depends on besides its inputs.</summary>
/// <param name="Processor">Model of the processor.</param>
/// <param name="Threads">Threads that LibTorch computes one operator with.</param>
/// <param name="Device">Device that was chosen, such as <c>cpu</c> or <c>cuda:0</c>.</param>
/// <param name="TorchSharp">Version of TorchSharp.</param>
/// <param name="LibTorch">Version of LibTorch.</param>
/// <param name="Program">Version of this program, with the commit that it was built from where that is known.</param>
public sealed record TorchDescription(string Processor, int Threads, string Device, string TorchSharp, string LibTorch, string Program);

/// <summary>LibTorch's settings: device and threads.</summary>
/// <remarks>
/// LibTorch keeps the number of threads by calling thread, and a thread that computes for the first time takes the number that
/// any thread set last. So a process should do all its tensor work on one thread, and set the number there.
/// </remarks>
public static class TorchEnvironment
{
    /// <summary>Chooses a device.</summary>
    /// <param name="choice"><c>auto</c> (the first GPU, else the CPU), <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</param>
    /// <exception cref="ArgumentException">The choice is none of these, or there is no such GPU.</exception>
    public static torch.Device ChooseDevice(string choice = "auto")
    {
        ArgumentNullException.ThrowIfNull(choice);
        switch (choice.ToLowerInvariant())
        {
            case "cpu":
                return torch.CPU;
            case "auto":
                return torch.cuda.is_available() ? UseGpu(0) : torch.CPU;
            case "cuda":
                return UseGpu(0);
            case var name
                when name.StartsWith("cuda:", StringComparison.Ordinal)
                    && int.TryParse(name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var index):
                return UseGpu(index);
            default:
#pragma warning disable CA2208, MA0015 // The message is for the operator who made the choice and knows no parameter.
                throw new ArgumentException($"'{choice}' is no device; choose auto, cpu, cuda or cuda:N.");
#pragma warning restore CA2208, MA0015
        }
    }

    /// <summary>Sets how many threads compute an operator that the calling thread asks for. Results may depend on it in their last bits.</summary>
    /// <param name="threads">At least 1; 0 leaves LibTorch's choice, the number of cores.</param>
    public static void SetThreads(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        if (threads > 0)
        {
            torch.set_num_threads(threads);
        }
    }

    /// <summary>Sets the threads until the result is disposed, on the same thread, then what they were before.</summary>
    /// <param name="threads">At least 1.</param>
    public static IDisposable WithThreads(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        var before = torch.get_num_threads();
        torch.set_num_threads(threads);
        return new ThreadScope(before);
    }

    /// <summary>Computes something small whose result is known.</summary>
    /// <param name="device">Where.</param>
    /// <exception cref="InvalidOperationException">The result is another. Other errors are those of LibTorch where it is missing, of another version, or the device fails.</exception>
    public static void Prove(torch.Device device)
    {
        using var scope = torch.NewDisposeScope();
        const int side = 8;
        // Whole numbers below 2^24, which every order of summing gives exactly.
        var matrix = torch.arange(side * side, torch.float32).reshape(side, side).to(device);
        var sum = matrix.matmul(matrix.transpose(0, 1)).sum().to(torch.CPU).item<float>();
        if (sum != Expected(side))
        {
            throw new InvalidOperationException($"The device {device} computes wrongly: {sum} for {Expected(side)}.");
        }
    }

    /// <summary>What to tell an operator of an error with which LibTorch does not compute.</summary>
    public static string Explain(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return DeviceErrors.IsFailure(error)
            ? $"The GPU does not compute: {error.GetBaseException().Message}"
            : $"LibTorch does not compute: {error.GetBaseException().Message} Its libraries belong to the host's files: install "
                + "them again.";
    }

    /// <summary>What to write beside a result.</summary>
    public static TorchDescription Describe(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var version = typeof(torch).Assembly.GetName().Version!;
        return new TorchDescription(
            ProcessorModel(),
            torch.get_num_threads(),
            device.ToString(),
            version.ToString(3),
            torch.__version__,
            typeof(TorchEnvironment).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion
        );
    }

    /// <summary>The sum of all scalar products of the rows 0 … side-1, side … 2·side-1 and so on: of the squares of the columns' sums.</summary>
    private static float Expected(int side) =>
        Enumerable.Range(0, side).Sum(column => MathF.Pow(Enumerable.Range(0, side).Sum(row => (row * side) + column), 2));

    private static torch.Device UseGpu(int index)
    {
        var count = torch.cuda.is_available() ? torch.cuda.device_count() : 0;
        if (index >= count)
        {
            throw new ArgumentException(
                $"There is no GPU {index}: LibTorch sees {count}. GPUs need a build with -p:TorchBackend=cuda and a driver; "
                    + "choose auto or cpu to do without."
            );
        }

        // TF32 would round float32 to 10 bits of mantissa behind the caller's back.
        torch.backends.cuda.matmul.allow_tf32 = false;
        torch.backends.cudnn.allow_tf32 = false;
        return torch.device(DeviceType.CUDA, index);
    }

    private static string ProcessorModel()
    {
        const string fileIndex = "/proc/cpuinfo";
        var model = File.Exists(fileIndex)
            ? File.ReadLines(fileIndex)
                .FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
                ?.Split(':', 2)[1]
                .Trim()
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        return string.IsNullOrEmpty(model) ? RuntimeInformation.ProcessArchitecture.ToString() : model;
    }

    private sealed class ThreadScope(int before) : IDisposable
    {
        public void Dispose() => torch.set_num_threads(before);
    }
}
