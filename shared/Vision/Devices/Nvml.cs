using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace Distributed.Vision.Devices;

/// <summary>
/// NVIDIA's management library, which comes with the driver: how busy the GPUs are and how full their memory. Source: NVML API reference.
/// </summary>
public sealed partial class Nvml : IDisposable
{
    /// <summary>Resolved by <see cref="Load"/>: it has another name on Windows, and on Linux only the one with its version is there without developers' packages.</summary>
    private const string Library = "nvml";
    private const int Success = 0;
    private const int NameBytes = 96;

    static Nvml() => NativeLibrary.SetDllImportResolver(typeof(Nvml).Assembly, Load);

    private Nvml() { }

    /// <summary>Opens it; null on a machine without it, which is one without NVIDIA's driver.</summary>
    public static Nvml? Open()
    {
        try
        {
            return Initialize() == Success ? new Nvml() : null;
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            return null;
        }
    }

    /// <summary>Reads all GPUs that the process may see. A GPU that does not answer is left out.</summary>
    public IReadOnlyList<Gpu> Read()
    {
        var gpus = new List<Gpu>();
        if (GetCount(out var count) != Success)
        {
            return gpus;
        }

        Span<byte> name = stackalloc byte[NameBytes];
        for (var index = 0u; index < count; index++)
        {
            name.Clear();
            if (
                GetHandle(index, out var device) == Success
                && GetName(device, ref MemoryMarshal.GetReference(name), NameBytes) == Success
                && GetUtilization(device, out var utilization) == Success
                && GetMemory(device, out var memory) == Success
            )
            {
                gpus.Add(new Gpu($"{index}", Text(name), utilization.Gpu / 100.0, (long)memory.Used, (long)memory.Total));
            }
        }

        return gpus;
    }

    /// <inheritdoc />
    public void Dispose() => _ = Shutdown();

    private static nint Load(string name, Assembly assembly, DllImportSearchPath? path) =>
        name == Library && NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvml.dll" : "libnvidia-ml.so.1", out var library)
            ? library
            : 0;

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.ASCII.GetString(bytes[..bytes.IndexOf((byte)0)]);

    [LibraryImport(Library, EntryPoint = "nvmlInit_v2")]
    private static partial int Initialize();

    [LibraryImport(Library, EntryPoint = "nvmlShutdown")]
    private static partial int Shutdown();

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetCount_v2")]
    private static partial int GetCount(out uint count);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetHandleByIndex_v2")]
    private static partial int GetHandle(uint index, out nint device);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetName")]
    private static partial int GetName(nint device, ref byte name, uint length);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetUtilizationRates")]
    private static partial int GetUtilization(nint device, out Utilization utilization);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetMemoryInfo")]
    private static partial int GetMemory(nint device, out Memory memory);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Utilization
    {
        public readonly uint Gpu;
        public readonly uint Memory;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Memory
    {
        public readonly ulong Total;
        public readonly ulong Free;
        public readonly ulong Used;
    }
}

/// <summary>A GPU at one moment.</summary>
/// <param name="Id">Its index.</param>
/// <param name="Name">Its model.</param>
/// <param name="Utilization">The share of the last moments in which it computed; 0 to 1.</param>
/// <param name="MemoryUsed">Bytes in use, of all processes.</param>
/// <param name="MemoryLimit">Bytes it has.</param>
public sealed record Gpu(string Id, string Name, double Utilization, long MemoryUsed, long MemoryLimit);
