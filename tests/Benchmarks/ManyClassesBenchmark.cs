using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using static TorchSharp.torch;

namespace Distributed.Benchmarks;

/// <summary>
/// Seconds for the default head of many classes from drawn features: the whole path, the choice on validation images, and the refit on
/// all. The peer, scikit-learn's L-BFGS at its default tolerance, only does the refit: one solution with the penalty that ours chose.
/// </summary>
internal sealed class ManyClassesBenchmark : IBenchmark
{
    private const int Size = 1024,
        Factors = 256,
        Tested = 1000;

    public string Name => "many-classes";

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Path(string folder)
    {
        var (features, labels, train, count) = Read(folder);
        var state = Train(features, labels, train, count);
        var logits = TrainedHead.Load(state.ExportBest()).Logits(Rows(features, count, labels.Length - count));
        var classes = labels.Max() + 1;
        var right = Enumerable
            .Range(0, labels.Length - count)
            .Count(row =>
                logits.AsSpan(row * classes, classes).IndexOf(logits.AsSpan(row * classes, classes).ToArray().Max()) == labels[count + row]
            );
        File.WriteAllText(
            System.IO.Path.Combine(folder, "penalty.txt"),
            state.Options.Penalties[state.BestEpoch].ToString("R", CultureInfo.InvariantCulture)
        );
        return (
            $"accuracy {(double)right / (labels.Length - count):F3}, {state.Epoch} penalties, "
                + $"{Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MB",
            () =>
            {
                var begun = Stopwatch.GetTimestamp();
                Train(features, labels, train, count);
                return Stopwatch.GetElapsedTime(begun).TotalSeconds;
            }
        );
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken) =>
        [await RunAsync(900, 100, 500, cancellationToken), await RunAsync(9000, 1000, 1000, cancellationToken)];

    private async Task<Figure> RunAsync(int train, int validation, int classes, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("distributed-classes-");
        try
        {
            Write(folder.FullName, train, validation, classes);
            using var ours = await Contestant.StartAsync(["many-classes", folder.FullName], cancellationToken);
            var measured = await Contestant.CompeteAsync([ours], 1, cancellationToken);
            using var peer = await Contestant.StartAsync(Python.Path, ["-c", Python.OnePenalty, folder.FullName], cancellationToken);
            var peers = peer is null ? [] : await Contestant.CompeteAsync([peer], 1, cancellationToken);
            return Figure.Of(
                $"{Name}: {train + validation} images of {classes} classes, {measured[0].Name}",
                "s",
                measured[0],
                peers.FirstOrDefault(),
                lessIsBetter: true
            );
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Features like a backbone's: positive, from some factors that classes and images differ in, with noise.</summary>
    private static void Write(string folder, int train, int validation, int classes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(7);
        var count = train + validation + Tested;
        var labels = Enumerable.Range(0, count).Select(i => i % classes).ToArray();
        var weights = arange(1, Factors + 1).to(ScalarType.Float32).pow(-0.5) * 3;
        var factors =
            randn(classes, Factors, generator: generator).index_select(0, tensor(labels))
            + (1.5 * randn(count, Factors, generator: generator));
        var features = nn.functional.relu(
            (factors * weights).mm(randn(Factors, Size, generator: generator) / Math.Sqrt(Factors))
                + (0.3 * randn(count, Size, generator: generator))
        );
        File.WriteAllBytes(System.IO.Path.Combine(folder, "features.f32"), features.bytes.ToArray());
        File.WriteAllBytes(System.IO.Path.Combine(folder, "labels.i32"), MemoryMarshal.AsBytes(labels.AsSpan()).ToArray());
        File.WriteAllText(
            System.IO.Path.Combine(folder, "split.txt"),
            string.Create(CultureInfo.InvariantCulture, $"{train} {train + validation}")
        );
    }

    private static (float[] Features, int[] Labels, int Train, int Count) Read(string folder)
    {
        var split = Array.ConvertAll(
            File.ReadAllText(System.IO.Path.Combine(folder, "split.txt")).Split(' '),
            part => int.Parse(part, CultureInfo.InvariantCulture)
        );
        return (
            MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(System.IO.Path.Combine(folder, "features.f32"))).ToArray(),
            MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(System.IO.Path.Combine(folder, "labels.i32"))).ToArray(),
            split[0],
            split[1]
        );
    }

    private static FeatureMatrix Rows(float[] features, int first, int count) =>
        new(features.AsSpan(first * Size, count * Size).ToArray(), count, Size);

    private static RegularisationPathState Train(float[] features, int[] labels, int train, int count)
    {
        using var data = FeatureData.Create(
            Rows(features, 0, count),
            labels.AsSpan(0, count),
            [.. Enumerable.Range(0, train)],
            [.. Enumerable.Range(train, count - train)],
            CPU
        );
        return RegularisationPath
            .Train(
                RegularisationPath.Start(
                    HeadDefinition.Linear,
                    new RegularisationPathOptions(RegularisationPathOptions.DefaultPenalties(labels.Max() + 1)),
                    data,
                    labels.Max() + 1
                ),
                data,
                () => false
            )
            .State;
    }
}
