using System.Diagnostics;
using System.Globalization;
using Distributed.Networks;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using Distributed.Vision.Export;
using Distributed.Vision.Features;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;
using Microsoft.ML.OnnxRuntime;
using TorchSharp;

namespace Distributed.Benchmarks;

/// <summary>The sides that this program plays itself.</summary>
internal static class Contestants
{
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan Trial = TimeSpan.FromSeconds(0.7);

    /// <summary>Plays a side until the standard input ends.</summary>
    public static void Serve(string[] arguments)
    {
        var (name, measure) = arguments switch
        {
            ["extract", var precision, var size] => Extract(precision, Parse(size)),
            ["extract-files"] => PredictionThroughputBenchmark.FromFiles(),
            ["extract-gpu", var size] => ExtractOnGpu(Parse(size)),
            ["extract-core", var network, var precision, var size] => ExtractOnOneCore(network, precision, Parse(size)),
            ["onnx-core", var network, var size] => OnnxOnOneCore(network, Parse(size)),
            ["plain", var size] => Plain(Parse(size), channelsLast: false),
            ["plain-channels-last", var size] => Plain(Parse(size), channelsLast: true),
            ["plain-core", var size] => OneCore("TorchSharp module", Parse(size), backbone => backbone),
            ["operators-core", var size] => OneCore(
                "LibTorch's operators, folded",
                Parse(size),
                backbone => new OperatorBackbone(backbone.Architecture.Graph.Folded(), backbone.Weights, Precision.Fp32, torch.CPU)
            ),
            ["onnx", var size] => Onnx(BackboneSource.Demo, Parse(size)),
            ["onnx", var network, var size] => Onnx(network, Parse(size)),
            ["onnx-base", var network, var size] => OnnxBase(network, Parse(size)),
            ["onnx-core-file", var network, var size] => OnnxFileOnOneCore(network, Parse(size)),
            ["memory", var images] => Memory(Parse(images)),
            ["onnx-memory", var images] => OnnxMemory(Parse(images)),
            ["penalty-path", var folder] => RegularisationPathBenchmark.Path(folder),
            ["many-classes", var folder] => ManyClassesBenchmark.Path(folder),
            ["head-memory", var folder, var penalties] => HeadMemoryBenchmark.Train(folder, Parse(penalties)),
            ["evidence-memory", var folder] => EvidenceMemoryBenchmark.Find(folder),
            ["leave-one-out", var folder] => LeaveOneOutBenchmark.Judge(folder),
            ["wrong-labels", var folder] => WrongLabelBenchmark.Rank(folder),
            [ShardOverheadBenchmark.Worker, var catalog, var broker] => ShardOverheadBenchmark.Work250(catalog, broker),
            ["bare-run", var folder] => FirstRunBenchmark.Bare(folder),
            ["first-run", var host, var folder] => WholeRuns.First(host, folder),
            ["served-first-run", var folder, var volume] => WholeRuns.ServedFirst(folder, volume),
            ["second-run", var folder, var volume] => WholeRuns.Second(folder, volume),
            ["served-run", var folder, var volume] => WholeRuns.Served(folder, volume),
            ["classify", var package] => InferenceBenchmark.Classify(package),
            ["classify-memory", var package] => InferenceMemoryBenchmark.Classify(package),
            ["classify-bare", var package] => InferenceBenchmark.Bare(package),
            ["decode", var folder] => DecodeBenchmark.Decode(folder),
            ["ingest", var folder, var size] => IngestionBenchmark.Ingest(folder, Parse(size)),
            _ => throw new ArgumentException($"There is no contestant '{string.Join(' ', arguments)}'."),
        };
        Console.WriteLine(Contestant.Ready + name);
        while (Console.ReadLine() is not null)
        {
            Console.WriteLine(measure().ToString("R", CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Images a second, whole batches for at least a time.</summary>
    public static double ImagesPerSecond(TimeSpan atLeast, int images, Action run)
    {
        var start = Stopwatch.GetTimestamp();
        var done = 0;
        TimeSpan elapsed;
        do
        {
            run();
            done += images;
            elapsed = Stopwatch.GetElapsedTime(start);
        } while (elapsed < atLeast);

        return done / elapsed.TotalSeconds;
    }

    private static (string Name, Func<double> Measure) Extract(string precision, int size)
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var choice = Autotuner.Choose(backbone, size, torch.CPU);
        var (used, batch) =
            precision == "fp32"
                ? (Precision.Fp32, FeatureExtractor.DefaultBatchSizeFor(size, DeviceType.CPU))
                : (choice.Precision, choice.BatchSize);
        var extractor = new FeatureExtractor(backbone, used, torch.CPU, batch);
        var images = Pixels(batch * size * size * 3);
        var features = new float[batch * extractor.FeatureSize];
        return ($"{used}, batch {batch}", () => ImagesPerSecond(Round, batch, () => extractor.Extract(images, batch, size, features)));
    }

    /// <summary>As a training host does it: what autotuning chose, and several batches at a time, so that copies and computing overlap.</summary>
    private static (string Name, Func<double> Measure) ExtractOnGpu(int size)
    {
        const int Batches = 8;
        var gpu = TorchEnvironment.ChooseDevice("cuda");
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var choice = Autotuner.Choose(backbone, size, gpu);
        var extractor = new FeatureExtractor(backbone, choice.Precision, gpu, choice.BatchSize);
        var count = choice.BatchSize * Batches;
        var images = Pixels(count * size * size * 3);
        var features = new float[count * extractor.FeatureSize];
        return (
            $"{choice.Precision}, batch {choice.BatchSize}",
            () => ImagesPerSecond(Round, count, () => extractor.Extract(images, count, size, features))
        );
    }

    /// <summary>Weights that are delivered, or random ones of an architecture, which take as long as any.</summary>
    private static IBackbone Load(string network) =>
        PretrainedBases.Find(network) is { ShippedFile: not null } known
            ? BackboneSource.Load(
                BackboneSource.ShippedPath(known)!,
                onnx: known.Preprocessing is { } preprocessing ? OnnxSettings.Of(preprocessing) : null
            )
            : BackboneSource.Load(BackboneSource.Random, NetworkArchitecture.ByName(network));

    private static (string Name, Func<double> Measure) ExtractOnOneCore(string network, string precision, int size)
    {
        torch.set_num_threads(1);
        using var backbone = Load(network);
        var used = precision == "fp32" ? Precision.Fp32 : Autotuner.Choose(backbone, size, torch.CPU).Precision;
        var batch = FeatureExtractor.DefaultBatchSizeFor(size, DeviceType.CPU);
        var extractor = new FeatureExtractor(backbone, used, torch.CPU, batch);
        var images = Pixels(batch * size * size * 3);
        var features = new float[batch * extractor.FeatureSize];
        return ($"{used}, batch {batch}", () => ImagesPerCoreSecond(batch, () => extractor.Extract(images, batch, size, features)));
    }

    private static (string Name, Func<double> Measure) OnnxOnOneCore(string network, int size)
    {
        var run = OnnxRun(network, size, threads: 1);
        var (batch, best) = new[] { 1, 8, 32 }
            .Select(batch => (batch, Run: run(batch)))
            .MaxBy(side =>
            {
                side.Run();
                return ImagesPerCoreSecond(side.batch, side.Run);
            });
        return ($"ONNX Runtime, fp32, batch {batch}, one thread", () => ImagesPerCoreSecond(batch, best));
    }

    /// <summary>ONNX Runtime on the file that a base is delivered as, which takes one image at a time.</summary>
    private static (string Name, Func<double> Measure) OnnxFileOnOneCore(string network, int size)
    {
        var path = BackboneSource.ShippedPath(PretrainedBases.Find(network)!)!;
        var (input, output) = (OnnxInput.Of(OnnxFile.Open(path)).Name, OnnxFile.Open(path).Outputs[0].Name);
        using var options = new SessionOptions { GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL, IntraOpNumThreads = 1 };
        var session = new InferenceSession(path, options);
        var run = new RunOptions();
        var image = OrtValue.CreateTensorValueFromMemory([.. Pixels(3 * size * size).Select(value => value - 127.5f)], [1, 3, size, size]);
        return (
            "ONNX Runtime, fp32, batch 1, one thread",
            () => ImagesPerCoreSecond(1, () => session.Run(run, [input], [image], [output]).Dispose())
        );
    }

    /// <summary>A network from an ONNX file as a base, computed by ONNX Runtime.</summary>
    private static unsafe (string Name, Func<double> Measure) OnnxBase(string network, int size)
    {
        const int Images = 32;
        using var backbone = Load(network);
        using var model = new MemoryStream();
        OnnxExport.WriteAsync(backbone, model).GetAwaiter().GetResult();
        var file = OnnxFile.Parse(model.ToArray(), network);
        var settings = OnnxSettings.Of(backbone.Preprocessing);
        var session = new OnnxSession(file, OnnxInput.Of(file), OnnxFeatures.Choose(file, null), settings);
        var images = Pixels(Images * size * size * 3);
        var features = new float[Images * session.FeatureSize];
        return (
            "an ONNX base from uint8 images",
            () =>
                ImagesPerSecond(
                    Round,
                    Images,
                    () =>
                    {
                        fixed (byte* pixels = images)
                        fixed (float* target = features)
                        {
                            session.Run(pixels, Images, size, target, Environment.ProcessorCount);
                        }
                    }
                )
        );
    }

    private static (string Name, Func<double> Measure) OneCore(string name, int size, Func<PlainBackbone, IBackbone> choose)
    {
        torch.set_num_threads(1);
        var backbone = choose((PlainBackbone)BackboneSource.Load(BackboneSource.Demo));
        var (batch, best) = new[] { 8, 32 }
            .Select(batch =>
            {
                var images = torch.tensor(Pixels(batch * size * size * 3), [batch, size, size, 3]);
                return (batch, Run: (Action)(() => backbone.Features(images).Dispose()));
            })
            .MaxBy(side =>
            {
                side.Run();
                return ImagesPerCoreSecond(side.batch, side.Run);
            });
        return ($"{name}, fp32, batch {batch}, one thread", () => ImagesPerCoreSecond(batch, best));
    }

    /// <summary>Images per second of processor time: what it says hardly depends on who else is using the machine.</summary>
    private static double ImagesPerCoreSecond(int images, Action run)
    {
        var before = Environment.CpuUsage.TotalTime;
        var done = 0;
        TimeSpan used;
        do
        {
            run();
            done += images;
            used = Environment.CpuUsage.TotalTime - before;
        } while (used < Round);

        return done / used.TotalSeconds;
    }

    /// <summary>The network as it is written down from the paper, computed by LibTorch's operators one by one.</summary>
    private static (string Name, Func<double> Measure) Plain(int size, bool channelsLast)
    {
        var backbone = (PlainBackbone)BackboneSource.Load(BackboneSource.Demo);
        var runs = new[] { 8, 32, 64 }.ToDictionary(
            batch => batch,
            batch =>
            {
                var images = torch.tensor(Pixels(batch * size * size * 3), [batch, size, size, 3]);
                var planes = torch.rand(batch, 3, size, size);
                return channelsLast ? (Action)(() => backbone.Features(images).Dispose()) : () => backbone.Network(planes).Dispose();
            }
        );
        return BestBatch(channelsLast ? "TorchSharp module, channels last" : "TorchSharp module", runs);
    }

    private static (string Name, Func<double> Measure) Onnx(string network, int size) =>
        BestBatch("ONNX Runtime", new[] { 1, 4, 8, 16, 32, 64 }.ToDictionary(batch => batch, OnnxRun(network, size)));

    private static Func<int, Action> OnnxRun(string network, int size, int threads = 0)
    {
        var session = BareSession(network, threads);
        var run = new RunOptions();
        return batch =>
        {
            var values = Pixels(batch * 3 * size * size).Select(value => (value / 127.5f) - 1).ToArray();
            var input = OrtValue.CreateTensorValueFromMemory(values, [batch, 3, size, size]);
            return () => session.Run(run, [OnnxExport.InputName], [input], [OnnxExport.OutputName]).Dispose();
        };
    }

    private static InferenceSession BareSession(string network, int threads)
    {
        using var backbone = Load(network);
        using var model = new MemoryStream();
        OnnxExport.WriteAsync(backbone, model).GetAwaiter().GetResult();
        using var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            IntraOpNumThreads = threads,
        };
        return new InferenceSession(model.ToArray(), options);
    }

    private static (string Name, Func<double> Measure) BestBatch(string name, Dictionary<int, Action> runs)
    {
        foreach (var run in runs.Values)
        {
            run();
        }

        // Two looks at each, the better one counts: a moment's disturbance must not choose the peer's batch.
        var best = runs.MaxBy(run => Math.Max(ImagesPerSecond(Trial, run.Key, run.Value), ImagesPerSecond(Trial, run.Key, run.Value)));
        return ($"{name}, fp32, batch {best.Key}", () => ImagesPerSecond(Round, best.Key, best.Value));
    }

    private static (string Name, Func<double> Measure) Memory(int count)
    {
        const int Size = 96,
            Shard = 256;
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var choice = Autotuner.Choose(backbone, Size, torch.CPU);
        var extractor = new FeatureExtractor(backbone, choice.Precision, torch.CPU, choice.BatchSize);
        return (
            $"{count} images",
            () =>
            {
                for (var first = 0; first < count; first += Shard)
                {
                    extractor.Extract(Pixels(Shard * Size * Size * 3), Shard, Size);
                }

                return PeakMegabytes();
            }
        );
    }

    private static (string Name, Func<double> Measure) OnnxMemory(int count)
    {
        const int Batch = 32;
        var run = OnnxRun(BackboneSource.Demo, 96)(Batch);
        return (
            $"ONNX Runtime, fp32, batch {Batch}, {count} images",
            () =>
            {
                for (var first = 0; first < count; first += Batch)
                {
                    run();
                }

                return PeakMegabytes();
            }
        );
    }

    /// <summary>Largest resident memory of this process so far.</summary>
    public static double PeakMegabytes()
    {
        const string peak = "VmHWM:";
        var line = File.ReadLines("/proc/self/status").First(text => text.StartsWith(peak, StringComparison.Ordinal));
        return int.Parse(line[peak.Length..].Replace("kB", "").Trim()) / 1024.0;
    }

    public static byte[] Pixels(int count)
    {
        var pixels = new byte[count];
        for (var i = 0; i < count; i++)
        {
            pixels[i] = (byte)((uint)i * 2_654_435_761u >> 24);
        }

        return pixels;
    }

    private static int Parse(string number) => int.Parse(number);
}
