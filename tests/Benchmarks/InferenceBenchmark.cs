using System.Diagnostics;
using System.IO.Compression;
using Distributed.Imaging;
using Distributed.Inference;
using Distributed.TestServers;
using Microsoft.ML.OnnxRuntime;

namespace Distributed.Benchmarks;

/// <summary>
/// Milliseconds an image of <c>Distributed.Inference</c>, from the JPEG file to its class, beside ONNX Runtime called bare on the same
/// network
/// with the same decoding and resizing before it.
/// </summary>
internal sealed class InferenceBenchmark : IBenchmark
{
    private const int Images = 100,
        Rounds = 15;

    public string Name => "inference";

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Classify(string package)
    {
        var model = ImageClassifier.Load(package);
        return ("Distributed.Inference", () => Measure(image => model.Predict(image).Probability));
    }

    /// <summary>The peer.</summary>
    public static (string Name, Func<double> Measure) Bare(string package)
    {
        using var archive = ZipFile.OpenRead(package);
        using var content = new MemoryStream();
        using (var network = archive.GetEntry(ModelDescription.NetworkName)!.Open())
        {
            network.CopyTo(content);
        }

        using var options = new SessionOptions { GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL };
        var session = new InferenceSession(content.ToArray(), options);
        var run = new RunOptions();
        return (
            "ONNX Runtime, bare",
            () =>
                Measure(image =>
                {
                    var pixels = ImageDecoder.Decode(image, new ImagePreparation(96, FitMode.Crop, JpegDecoding.Scaled)).Pixels;
                    using var input = OrtValue.CreateTensorValueFromMemory(pixels, [1, 96, 96, 3]);
                    using var outputs = session.Run(run, ["images"], [input], ["probabilities"]);
                    return outputs[0].GetTensorDataAsSpan<float>()[0];
                })
        );
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        var package = Path.Combine(folder.Path, "model.zip");
        await using (var server = await PredictionServer.StartAloneAsync(cancellationToken))
        {
            await File.WriteAllBytesAsync(package, await server.ExportAsync(cancellationToken), cancellationToken);
        }

        using var ours = await Contestant.StartAsync(["classify", package], cancellationToken);
        using var bare = await Contestant.StartAsync(["classify-bare", package], cancellationToken);
        var measured = await Contestant.CompeteAsync([ours, bare], Rounds, cancellationToken);
        return [Figure.Of(Name, "ms", measured[0], measured[1], lessIsBetter: true)];
    }

    private static double Measure(Func<byte[], double> classify)
    {
        byte[][] images = [.. Enumerable.Range(0, 8).Select(seed => Photo.Draw(seed))];
        classify(images[0]);
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < Images; i++)
        {
            classify(images[i % images.Length]);
        }

        return Stopwatch.GetElapsedTime(started).TotalMilliseconds / Images;
    }
}

/// <summary>Resident memory of a process that predicts a million images with <c>Distributed.Inference</c>, at its end beside that after the first tenth.</summary>
internal sealed class InferenceMemoryBenchmark : IBenchmark
{
    /// <summary>Predictions of a round.</summary>
    public const int Predictions = 100_000;

    private const int Rounds = 10;

    // Small, so that a million take minutes: what is kept of a prediction does not depend on the network.
    private static readonly object Specification = new
    {
        backbone = "random",
        architecture = "resnet18",
        inputSize = 32,
        report = false,
    };

    public string Name => "inference-memory";

    /// <summary>Predicts on all cores.</summary>
    public static (string Name, Func<double> Measure) Classify(string package)
    {
        var model = ImageClassifier.Load(package, options => options.IntraOpNumThreads = 1);
        byte[][] images = [.. Enumerable.Range(0, 8).Select(image => ColouredFields.Draw(image, 48, 40))];
        return (
            "Distributed.Inference",
            () =>
            {
                Parallel.For(0, Predictions, i => model.Predict(images[i % images.Length]));
                return Environment.WorkingSet / 1048576.0;
            }
        );
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        var package = Path.Combine(folder.Path, "model.zip");
        await using (var server = await PredictionServer.StartAloneAsync(Specification, cancellationToken))
        {
            await File.WriteAllBytesAsync(package, await server.ExportAsync(cancellationToken), cancellationToken);
        }

        using var ours = await Contestant.StartAsync(["classify-memory", package], cancellationToken);
        var measured = (await Contestant.CompeteAsync([ours], Rounds, cancellationToken))[0].Rounds;
        return
        [
            Figure.Of(
                Name,
                "MiB",
                new Measurement(ours.Name, [measured[^1]]),
                new Measurement($"after the first {Predictions:N0} of {Rounds * Predictions:N0}", [measured[0]]),
                lessIsBetter: true
            ),
        ];
    }
}
