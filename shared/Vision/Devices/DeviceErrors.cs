using System.Runtime.InteropServices;

namespace Distributed.Vision.Devices;

/// <summary>Distinguishes the errors of a device: LibTorch reports them in words alone.</summary>
public static class DeviceErrors
{
    private static readonly string[] Libraries = ["CUDA", "cuDNN", "cuBLAS", "NVRTC"];

    /// <summary>Whether memory did not suffice. Less work at a time may fit.</summary>
    public static bool IsOutOfMemory(Exception error) => Says(error, "out of memory");

    /// <summary>Whether a GPU failed. CUDA says the same of everything that this process asks of it from then on.</summary>
    public static bool IsFailure(Exception error) => !IsOutOfMemory(error) && Array.Exists(Libraries, library => Says(error, library));

    private static bool Says(Exception error, string words) =>
        error is ExternalException && error.Message.Contains(words, StringComparison.OrdinalIgnoreCase);
}
