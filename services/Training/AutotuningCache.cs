using System.Globalization;
using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Contracts;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;

namespace Distributed.Training;

/// <summary>What autotuning found on machines of this worker's kind, kept on the volume.</summary>
internal sealed partial class AutotuningCache(Volume volume, TensorThread tensors, TensorDevice device, ILogger<AutotuningCache> logger)
{
    /// <summary>Reads what was measured, or measures.</summary>
    /// <param name="backbone">What images will go through.</param>
    /// <param name="size">Height and width of the images, pixels.</param>
    /// <param name="cancellationToken">Ends the autotuning.</param>
    public async Task<AutotuningResult> MeasureAsync(IBackbone backbone, int size, CancellationToken cancellationToken)
    {
        var path = await PathOfAsync(backbone.Name, size, cancellationToken);
        if (await ReadAsync(path, cancellationToken) is { } known)
        {
            return known;
        }

        var measured = await tensors.RunAsync(
            token => Autotuner.Choose(backbone, size, device.Device, cancellationToken: token),
            cancellationToken
        );
        var speeds = string.Join(
            ", ",
            measured.ImagesPerSecond.Select(speed => string.Create(CultureInfo.InvariantCulture, $"{speed.Key} {speed.Value:F0}"))
        );
        LogMeasured(measured.Precision, measured.BatchSize, measured.Threads, speeds);
        try
        {
            await volume.WriteAsync(
                path,
                (stream, token) =>
                    JsonSerializer.SerializeAsync(stream, new Measurement(measured, HashOf(measured)), cancellationToken: token),
                cancellationToken
            );
            return measured;
        }
        catch (IOException) when (File.Exists(volume.FullPath(path)))
        {
            // Another worker of the same kind measured at the same time; what stands there holds for both.
            return await ReadAsync(path, cancellationToken) ?? measured;
        }
    }

    /// <summary>The number of threads to compute features with; null where nothing was measured on such a machine.</summary>
    public async Task<int?> FindThreadsAsync(string backbone, int size, CancellationToken cancellationToken) =>
        (await ReadAsync(await PathOfAsync(backbone, size, cancellationToken), cancellationToken))?.Threads;

    /// <summary>Null where nothing is there. What is damaged is removed, to be measured again.</summary>
    private async Task<AutotuningResult?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var full = volume.FullPath(path);
        if (!File.Exists(full))
        {
            return null;
        }

        if (Parse(await File.ReadAllBytesAsync(full, cancellationToken)) is { } known)
        {
            return known;
        }

        LogDamaged(path);
        File.Delete(full);
        return null;
    }

    private static AutotuningResult? Parse(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize<Measurement>(json) is { Choice: { } choice, Sha256: var sha256 } && sha256 == HashOf(choice)
                ? choice
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string HashOf(AutotuningResult choice) => ContentKey.Of(JsonSerializer.Serialize(choice));

    private async Task<string> PathOfAsync(string backbone, int size, CancellationToken cancellationToken)
    {
        // On the tensor thread, whose number of threads the description holds.
        var machine = await tensors.RunAsync(_ => TorchEnvironment.Describe(device.Device), cancellationToken);
        var key = ContentKey.Of(
            "precision",
            machine.Processor,
            $"{machine.Threads}",
            machine.Device,
            machine.LibTorch,
            backbone,
            $"{size}",
            $"{FeaturePlanner.ExtractorVersion}"
        );
        return $"autotuning/{key}.json";
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "What was measured on such a machine is damaged in {Path} and is measured again")]
    private partial void LogDamaged(string path);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Features are computed in {Precision}, {BatchSize} images at a time, on {Threads} threads; images a second as measured: "
            + "{Speeds}"
    )]
    private partial void LogMeasured(Precision precision, int batchSize, int threads, string speeds);

    /// <summary>What stands in a file. No catalog row has its hash, since it is of a kind of machine and of no run.</summary>
    private sealed record Measurement(AutotuningResult? Choice, string? Sha256);
}
