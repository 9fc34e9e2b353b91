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
