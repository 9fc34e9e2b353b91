using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;

namespace Distributed.Benchmarks;

/// <summary>Features from uint8 images, against ONNX Runtime and, where it is installed, PyTorch.</summary>
internal sealed class ExtractionBenchmark(string name, int size, string precision) : IBenchmark
{
    private const int Rounds = 9;

    public string Name => name;

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var ours = await Contestant.StartAsync(["extract", precision, $"{size}"], cancellationToken);
        using var onnx = await Contestant.StartAsync(["onnx", $"{size}"], cancellationToken);
        using var torch = await Contestant.StartAsync(Python.Path, ["-c", Python.Torch, $"{size}"], cancellationToken);
        var measured = await Contestant.CompeteAsync([.. new[] { ours, onnx, torch }.OfType<Contestant>()], Rounds, cancellationToken);
        return [.. measured[1..].Select(peer => Figure.Of(name, "images/s", measured[0], peer))];
    }
}

/// <summary>Features from uint8 images on a GPU, against PyTorch on the same one. No row where there is no GPU.</summary>
internal sealed class GpuBenchmark(string name, int size) : IBenchmark
{
    private const int Rounds = 7;

    public string Name => name;

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        if (!TorchSharp.torch.cuda.is_available())
        {
            await Console.Error.WriteLineAsync($"{name}: LibTorch sees no GPU here.");
            return [];
        }

        using var ours = await Contestant.StartAsync(["extract-gpu", $"{size}"], cancellationToken);
        using var torch = await Contestant.StartAsync(Python.Path, ["-c", Python.TorchOnGpu, $"{size}"], cancellationToken);
        var measured = await Contestant.CompeteAsync([.. new[] { ours, torch }.OfType<Contestant>()], Rounds, cancellationToken);
        await Console.Error.WriteLineAsync($"{name}: ours is {ours.Name}");
        return [Figure.Of(name, "images/s", measured[0], measured.Skip(1).FirstOrDefault())];
    }
}

/// <summary>Every precision and some batch sizes on a GPU, without a peer.</summary>
internal sealed class GpuBatchBenchmark(string name, int size, int[] batches) : IBenchmark
{
    public string Name => name;

    public Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<Figure> figures = TorchSharp.torch.cuda.is_available()
            ?
            [
                .. Enum.GetValues<Precision>()
                    .SelectMany(precision => batches.Select(batch => Measure(precision, batch, cancellationToken))),
            ]
            : [];
        return Task.FromResult(figures);
    }

    private Figure Measure(Precision precision, int batch, CancellationToken cancellationToken)
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        using var extractor = new FeatureExtractor(backbone, precision, TorchEnvironment.ChooseDevice("cuda"), batch);
        var count = batch * 4;
        var images = Contestants.Pixels(count * size * size * 3);
        var features = new float[count * extractor.FeatureSize];
        void Run() => extractor.Extract(images, count, size, features, cancellationToken);
        Run();
        var rounds = Enumerable.Range(0, 3).Select(_ => Contestants.ImagesPerSecond(TimeSpan.FromSeconds(0.3), count, Run)).ToList();
        return Figure.Of($"{name}-{precision}-{batch}".ToLowerInvariant(), "images/s", new Measurement(name, rounds), null);
    }
}

/// <summary>The same on one core, by processor time: for machines that are shared.</summary>
internal sealed class CoreBenchmark(string name, string[] contestant, string[] rival) : IBenchmark
{
    private const int Rounds = 5;

    public string Name => name;

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var ours = await Contestant.StartAsync(contestant, cancellationToken);
        using var peer = await Contestant.StartAsync(rival, cancellationToken);
        var measured = await Contestant.CompeteAsync([ours, peer], Rounds, cancellationToken);
        return [Figure.Of(name, "images/s", measured[0], measured[1])];
    }
}

/// <summary>A network from an ONNX file that ONNX Runtime computes as a base, against ONNX Runtime called bare on normalised images, in its best batch.</summary>
internal sealed class OnnxBaseBenchmark : IBenchmark
{
    private const int Rounds = 7;

    public string Name => "onnx-224";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var ours = await Contestant.StartAsync(["onnx-base", "resnet50", "224"], cancellationToken);
        using var bare = await Contestant.StartAsync(["onnx", "resnet50", "224"], cancellationToken);
        var measured = await Contestant.CompeteAsync([ours, bare], Rounds, cancellationToken);
        return [Figure.Of(Name, "images/s", measured[0], measured[1])];
    }
}

/// <summary>Features in the best precision, against the same network computed operator by operator.</summary>
internal sealed class PlainNetworkBenchmark : IBenchmark
{
    private const int Rounds = 7;

    public string Name => "extract-96-plain";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var ours = await Contestant.StartAsync(["extract", "best", "96"], cancellationToken);
        using var plain = await Contestant.StartAsync(["plain", "96"], cancellationToken);
        using var channelsLast = await Contestant.StartAsync(["plain-channels-last", "96"], cancellationToken);
        var measured = await Contestant.CompeteAsync([ours, plain, channelsLast], Rounds, cancellationToken);
        return [.. measured[1..].Select(peer => Figure.Of(Name, "images/s", measured[0], peer))];
    }
}

/// <summary>Largest resident memory of a process that extracts shard after shard.</summary>
internal sealed class MemoryBenchmark : IBenchmark
{
    private const int Images = 2048;

    public string Name => "memory-96";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var ours = await Contestant.StartAsync(["memory", $"{Images}"], cancellationToken);
        using var onnx = await Contestant.StartAsync(["onnx-memory", $"{Images}"], cancellationToken);
        // The second round is over twice as many images in all; that it is no higher shows that memory is flat.
        var measured = await Contestant.CompeteAsync([ours, onnx], 2, cancellationToken);
        return [Figure.Of(Name, "MiB", measured[0], measured[1], lessIsBetter: true)];
    }
}
