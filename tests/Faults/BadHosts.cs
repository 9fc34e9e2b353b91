using Distributed.TestServers;

namespace Distributed.Faults;

/// <summary>The hosts that cannot work: one for each thing that an operator may set wrongly, or an installation may lack.</summary>
internal static class BadHosts
{
    private static readonly Dictionary<string, string?> None = [];

    /// <summary>All of them.</summary>
    public static async Task<IReadOnlyList<BadHost>> CreateAsync(FaultLab lab)
    {
        var publication = lab.Publication;
        return
        [
            Misconfigured("no-gpu", "Training", "Training__Device", "cuda"),
            Misconfigured("no-device", "Training", "Training__Device", "tpu"),
            Broken("no-codec", "Ingestion", await publication.CopyAsync("Ingestion", "libSkiaSharp.*"), "libSkiaSharp"),
            Broken(
                "no-decoder",
                "Ingestion",
                await publication.CopyAsync("Ingestion", "Distributed.Decoding.dll"),
                "Distributed.Decoding.dll"
            ),
            Broken("no-libtorch", "Training", await publication.CopyAsync("Training", "libtorch_cpu.so"), "LibTorch does not compute"),
            Broken(
                "no-torchsharp",
                "Evaluation",
                await publication.CopyAsync("Evaluation", "libLibTorchSharp.so"),
                "LibTorch does not compute"
            ),
            Broken(
                "no-weights",
                "Training",
                await publication.CopyAsync("Training", "densenet121-cifar10-fp16.safetensors"),
                "demo weights"
            ),
        ];
    }

    /// <summary>A setting is wrong, and the line names it.</summary>
    private static BadHost Misconfigured(string name, string service, string variable, string value) =>
        new(name, service, TestEnvironment.ServiceDll(service), new Dictionary<string, string?> { [variable] = value }, 2, variable);

    /// <summary>Something is missing, and the line names it.</summary>
    private static BadHost Broken(string name, string service, string program, string says) => new(name, service, program, None, 1, says);
}
