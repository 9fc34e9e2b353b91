using System.Diagnostics;
using System.Runtime.InteropServices;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Imaging;
using Distributed.Vision;
using Distributed.Vision.Engines;
using Distributed.Vision.Evidence;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Benchmarks;

/// <summary>
/// Seconds to judge the labels of 5,000 images of 1,024 features and 10 classes, each by a model without it, against scikit-learn's linear
/// discriminant analysis in five folds, at one ridge.
/// </summary>
internal sealed class LeaveOneOutBenchmark : IBenchmark
{
    private const int Images = 5000,
        Size = 1024,
        Classes = 10,
        Rounds = 5;

    public string Name => "leave-one-out";

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Judge(string folder)
    {
        var (features, labels) = LabelledFeatures.Read(folder, 0);
        return (
            "leave-one-out",
            () =>
            {
                var started = Stopwatch.GetTimestamp();
                ClassGaussians.Fit(features, labels, labels.Max() + 1);
                return Stopwatch.GetElapsedTime(started).TotalSeconds;
            }
        );
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        var random = new SeededRandom(7);
        var values = new float[Images * Size];
        int[] labels = [.. Enumerable.Range(0, Images).Select(image => image % Classes)];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = random.NextSingle() + (i % Size % 37 == labels[i / Size] ? 0.2f : 0);
        }

        LabelledFeatures.Write(folder.Path, new FeatureMatrix(values, Images, Size), [labels]);
        using var ours = await Contestant.StartAsync(["leave-one-out", folder.Path], cancellationToken);
        var measured = await Contestant.CompeteAsync([ours], Rounds, cancellationToken);
        using var peer = await Contestant.StartAsync(Python.Path, ["-c", Python.DiscriminantAnalysis, folder.Path], cancellationToken);
        var peers = peer is null ? [] : await Contestant.CompeteAsync([peer], 1, cancellationToken);
        return [Figure.Of(Name, "s", measured[0], peers.FirstOrDefault(), lessIsBetter: true)];
    }
}

/// <summary>
/// How many of the labels that were made wrong on purpose, 2 % of the training images' in ten drawings, stand among the first 5 % of the ranking, in
/// percent, against the usual way: probabilities by scikit-learn's logistic regression in five folds. The data sets are those in
/// DISTRIBUTED_TEST_DATA, else the drawn sample.
/// </summary>
internal sealed class WrongLabelBenchmark : IBenchmark
{
    private const int Size = 96,
        Drawings = 10;
    private const double Wrong = 0.02,
        Ranks = 0.05;

    public string Name => "wrong-labels";

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Rank(string folder)
    {
        var truth = LabelledFeatures.Read(folder, 0).Labels;
        return (
            "leave-one-out",
            () =>
                Enumerable
                    .Range(1, Drawings)
                    .Average(drawing =>
                    {
                        var (features, labels) = LabelledFeatures.Read(folder, drawing);
                        var classes = truth.Max() + 1;
                        var probabilities = ClassGaussians.Fit(features, labels, classes).LeftOutProbabilities;
                        var first = Enumerable
                            .Range(0, labels.Length)
                            .OrderBy(image => probabilities[(image * classes) + labels[image]])
                            .Take((int)Math.Ceiling(Ranks * labels.Length));
                        return 100.0
                            * first.Count(image => labels[image] != truth[image])
                            / labels.Where((label, image) => label != truth[image]).Count();
                    })
        );
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        var figures = new List<Figure>();
        if (Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_DATA") is { Length: > 0 } data)
        {
            foreach (var set in new[] { "stl10-shaped", "hymenoptera", "clothing" })
            {
                figures.Add(await RunAsync($"{Name}: {set}", Path.Combine(data, set), cancellationToken));
            }

            return figures;
        }

        using var source = new TemporaryFolder();
        await SampleDataset.WriteAsync(source.Path, seed: 0, 1000, 10, cancellationToken);
        return [await RunAsync($"{Name}: sample", source.Path, cancellationToken)];
    }

    private static async Task<Figure> RunAsync(string name, string source, CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        var fileIndex = await DatasetSource.ListAsync(source, cancellationToken: cancellationToken);
        var pixels = new byte[(long)fileIndex.Entries.Count * Size * Size * 3];
        using var packed = new MemoryStream(pixels);
        var records = await ImagePacker.PackAsync(
            fileIndex,
            0,
            fileIndex.Entries.Count,
            new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Full),
            packed,
            cancellationToken: cancellationToken
        );
        var manifest = DatasetManifest.Create(fileIndex, records);
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        using var extractor = new FeatureExtractor(backbone, Precision.Fp32, torch.CPU);
        var all = extractor.Extract(pixels, manifest.Images.Count, Size, cancellationToken);
        int[] rows = [.. Enumerable.Range(0, manifest.Images.Count).Where(row => manifest.Images[row].Split != SplitName.Test)];
        int[] truth = [.. rows.Select(row => manifest.Images[row].Label)];
        int[][] labels =
        [
            truth,
            .. Enumerable
                .Range(1, Drawings)
                .Select(drawing =>
                {
                    var random = new SeededRandom((ulong)drawing);
                    int[] order = [.. Enumerable.Range(0, truth.Length)];
                    random.Shuffle<int>(order);
                    var wrong = truth.ToArray();
                    foreach (var image in order.Take((int)Math.Ceiling(Wrong * truth.Length)))
                    {
                        var other = (int)(random.NextSingle() * (manifest.ClassNames.Count - 1));
                        wrong[image] = other >= truth[image] ? other + 1 : other;
                    }

                    return wrong;
                }),
        ];
        LabelledFeatures.Write(folder.Path, all.Select(rows), labels);
        using var ours = await Contestant.StartAsync(["wrong-labels", folder.Path], cancellationToken);
        var measured = await Contestant.CompeteAsync([ours], 1, cancellationToken);
        using var peer = await Contestant.StartAsync(Python.Path, ["-c", Python.WrongLabels, folder.Path], cancellationToken);
        var peers = peer is null ? [] : await Contestant.CompeteAsync([peer], 1, cancellationToken);
        return Figure.Of(name, "%", measured[0], peers.FirstOrDefault());
    }
}

/// <summary>Features in a folder as plain numbers, and lists of labels for them.</summary>
internal static class LabelledFeatures
{
    public static void Write(string folder, FeatureMatrix features, IReadOnlyList<int[]> labels)
    {
        File.WriteAllBytes(Path.Combine(folder, "features.f32"), MemoryMarshal.AsBytes(features.Values.AsSpan()).ToArray());
        for (var list = 0; list < labels.Count; list++)
        {
            File.WriteAllBytes(Path.Combine(folder, $"labels-{list}.i32"), MemoryMarshal.AsBytes(labels[list].AsSpan()).ToArray());
        }
    }

    public static (FeatureMatrix Features, int[] Labels) Read(string folder, int list)
    {
        var values = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(folder, "features.f32"))).ToArray();
        var labels = MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(Path.Combine(folder, $"labels-{list}.i32"))).ToArray();
        return (new FeatureMatrix(values, labels.Length, values.Length / labels.Length), labels);
    }
}
