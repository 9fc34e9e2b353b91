using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Distributed.Datasets.Sources;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Benchmarks;

/// <summary>
/// Seconds for all heads of the default path, as far as it goes, on 4,500 images × 1,024 features of 10 classes, against
/// scikit-learn's L-BFGS on the same penalties at its loosest tolerance that comes as near to the smallest objective. Ours includes the choice on 500
/// validation images and the last solution on all 5,000.
/// </summary>
internal sealed class RegularisationPathBenchmark : IBenchmark
{
    private const int Train = 4500,
        Validation = 500,
        Classes = 10,
        Size = 96;
    private const int Rounds = 5;

    public string Name => "penalty-path";

    private static IReadOnlyList<double> Penalties => RegularisationPathOptions.DefaultPenalties(Classes);

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Path(string folder)
    {
        var data = Read(folder);
        var start = RegularisationPath.Start(HeadDefinition.Linear, new RegularisationPathOptions(Penalties), data, Classes);
        var gap = Gap(folder, data, start);
        return (
            $"gap {gap:E1}",
            () =>
            {
                // Data without principal components yet.
                using var fresh = Read(folder);
                var begun = Stopwatch.GetTimestamp();
                RegularisationPath.Train(
                    RegularisationPath.Start(HeadDefinition.Linear, start.Options, fresh, Classes),
                    fresh,
                    () => false
                );
                return Stopwatch.GetElapsedTime(begun).TotalSeconds;
            }
        );
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("distributed-path-");
        try
        {
            await PrepareAsync(folder.FullName, cancellationToken);
            using var ours = await Contestant.StartAsync(["penalty-path", folder.FullName], cancellationToken);
            var measured = await Contestant.CompeteAsync([ours], Rounds, cancellationToken);
            using var peer = await Contestant.StartAsync(
                Python.Path,
                ["-c", Python.LogisticRegression, folder.FullName],
                cancellationToken
            );
            // The peer takes minutes, so that its one round drowns the noise.
            var peers = peer is null ? [] : await Contestant.CompeteAsync([peer], 1, cancellationToken);
            return [Figure.Of(Name, "s", measured[0], peers.FirstOrDefault(), lessIsBetter: true)];
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Writes features of drawn images, their labels, the penalties, and the smallest objectives to a folder as plain numbers.</summary>
    private static async Task PrepareAsync(string folder, CancellationToken cancellationToken)
    {
        await SampleDataset.WriteAsync(folder, seed: 0, Train + Validation, Classes, cancellationToken);
        var images = await File.ReadAllBytesAsync(System.IO.Path.Combine(folder, "train_X.bin"), cancellationToken);
        var labels = await File.ReadAllBytesAsync(System.IO.Path.Combine(folder, "train_y.bin"), cancellationToken);
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var precision = Autotuner.Choose(backbone, Size, CPU, cancellationToken: cancellationToken);
        using var extractor = new FeatureExtractor(backbone, precision.Precision, CPU, precision.BatchSize);
        var features = extractor.Extract(Stl10Pixels(images), Train + Validation, Size, cancellationToken);
        await File.WriteAllBytesAsync(
            System.IO.Path.Combine(folder, "features.f32"),
            MemoryMarshal.AsBytes(features.Values.AsSpan()).ToArray(),
            cancellationToken
        );
        await File.WriteAllBytesAsync(
            System.IO.Path.Combine(folder, "labels.u8"),
            Array.ConvertAll(labels, label => (byte)(label - 1)),
            cancellationToken
        );
        using var data = Read(folder);
        var start = RegularisationPath.Start(HeadDefinition.Linear, new RegularisationPathOptions(Penalties), data, Classes);
        var objectives = Objectives(data, start, tolerance: 1e-10);
        await WriteAsync(folder, "penalties.txt", Penalties.Take(objectives.Length), cancellationToken);
        await WriteAsync(folder, "objectives.txt", objectives, cancellationToken);
    }

    private static Task WriteAsync(string folder, string name, IEnumerable<double> values, CancellationToken cancellationToken) =>
        File.WriteAllLinesAsync(
            System.IO.Path.Combine(folder, name),
            values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)),
            cancellationToken
        );

    /// <summary>STL-10 stores planes by columns; the backbone takes interleaved rows.</summary>
    private static byte[] Stl10Pixels(byte[] planes)
    {
        const int area = Size * Size;
        var pixels = new byte[planes.Length];
        for (var i = 0; i < planes.Length; i++)
        {
            var (image, channel, column, row) = (i / (3 * area), i / area % 3, i / Size % Size, i % Size);
            pixels[(((((image * Size) + row) * Size) + column) * 3) + channel] = planes[i];
        }

        return pixels;
    }

    private static FeatureData Read(string folder)
    {
        var values = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(System.IO.Path.Combine(folder, "features.f32"))).ToArray();
        var labels = Array.ConvertAll(File.ReadAllBytes(System.IO.Path.Combine(folder, "labels.u8")), label => (int)label);
        return FeatureData.Create(
            new FeatureMatrix(values, labels.Length, values.Length / labels.Length),
            labels,
            [.. Enumerable.Range(0, Train)],
            [.. Enumerable.Range(Train, labels.Length - Train)],
            CPU
        );
    }

    /// <summary>The largest relative distance of an objective on the path from the smallest there is.</summary>
    private static double Gap(string folder, FeatureData data, RegularisationPathState start) =>
        Objectives(data, start, LogisticRegression.DefaultTolerance)
            .Zip(
                File.ReadLines(System.IO.Path.Combine(folder, "objectives.txt")),
                (found, smallest) => (found / double.Parse(smallest, CultureInfo.InvariantCulture)) - 1
            )
            .Max();

    /// <summary>The objectives on the path, computed in double precision from the features as they are.</summary>
    private static double[] Objectives(FeatureData data, RegularisationPathState state, double tolerance)
    {
        using var scope = NewDisposeScope();
        var features = data
            .Features.narrow(0, 0, Train)
            .to(ScalarType.Float64)
            .sub_(torch.tensor(state.Mean))
            .div_(torch.tensor(state.Std));
        var labels = data.Labels.narrow(0, 0, Train);
        var objectives = new List<double>();
        while (!state.Chosen)
        {
            state = RegularisationPath.Train(state, data, () => true, tolerance).State;
            var parameters = torch.tensor(state.Latest);
            var weights = parameters.narrow(0, 0, Classes * state.FeatureSize).view(Classes, state.FeatureSize);
            var loss = nn
                .functional.cross_entropy(features.mm(weights.t()).add_(parameters.narrow(0, Classes * state.FeatureSize, Classes)), labels)
                .item<double>();
            objectives.Add(loss + (0.5 * Penalties[state.Epoch - 1] * weights.square().sum().item<double>()));
        }

        return [.. objectives];
    }
}
