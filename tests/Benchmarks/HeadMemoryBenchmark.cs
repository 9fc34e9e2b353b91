using System.Diagnostics;
using Distributed.Vision.Evidence;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using TorchSharp;

namespace Distributed.Benchmarks;

/// <summary>
/// Largest resident memory of a process that trains the default head, linear with the regularisation path, on drawn features of ten classes that lie in
/// shards, in slices as a worker does it; beside what the features take as float32. A second line has the seconds.
/// </summary>
/// <param name="name">Name of the row.</param>
/// <param name="images">Training and validation images.</param>
/// <param name="penalties">How many penalties of the path are tried at most: time grows with them, memory does not.</param>
internal sealed class HeadMemoryBenchmark(string name, int images, int penalties) : IBenchmark
{
    /// <summary>Every tenth image is for validation.</summary>
    private const int ValidationShare = 10;

    /// <summary>What a worker trains before it saves the state.</summary>
    private static readonly TimeSpan Slice = TimeSpan.FromSeconds(10);

    public string Name => name;

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Train(string folder, int penalties) =>
        (
            "training a head",
            () =>
            {
                Train(DrawnShards.Open(folder), penalties);
                return Contestants.PeakMegabytes();
            }
        );

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        await DrawnShards.WriteAsync(folder.Path, images, cancellationToken);
        using var ours = await Contestant.StartAsync(["head-memory", folder.Path, $"{penalties}"], cancellationToken);
        var started = Stopwatch.GetTimestamp();
        var measured = (await Contestant.CompeteAsync([ours], 1, cancellationToken))[0];
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return
        [
            Figure.Of(Name, "MiB", measured, DrawnShards.Bytes(images), lessIsBetter: true),
            Figure.Of(Name, "s", new Measurement(measured.Name, [seconds]), null, lessIsBetter: true),
        ];
    }

    private static void Train(FeatureShards shards, int penalties)
    {
        int[] rows = [.. Enumerable.Range(0, shards.Count)];
        using var data = FeatureData.Create(
            shards,
            Array.ConvertAll(rows, DrawnShards.ClassOf),
            [.. rows.Where(row => row % ValidationShare != 0)],
            [.. rows.Where(row => row % ValidationShare == 0)],
            torch.CPU
        );
        var path = RegularisationPathOptions.DefaultPenalties(DrawnShards.Classes).Take(penalties);
        var state = HeadTraining.Start(HeadDefinition.Linear, new RegularisationPathOptions([.. path]), data, DrawnShards.Classes);
        while (!state.Finished)
        {
            var begun = Stopwatch.GetTimestamp();
            state = state.Train(data, () => Stopwatch.GetElapsedTime(begun) >= Slice, CancellationToken.None).State;
            state.ToBytes();
            state.ExportBest();
        }
    }
}

/// <summary>
/// Largest resident memory of a process that does with a million images in shards what an evaluation does at most: it judges the labels of 200,000, and
/// seeks the nearest of all others to as many test images as are searched for near duplicates.
/// </summary>
internal sealed class EvidenceMemoryBenchmark : IBenchmark
{
    private const int Images = 1_000_000,
        Judged = 200_000,
        Tests = 1_900;

    public string Name => "evidence-memory-million";

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Find(string folder) =>
        (
            "judging labels, and seeking near duplicates",
            () =>
            {
                var shards = DrawnShards.Open(folder);
                int[] rows = [.. Enumerable.Range(0, shards.Count)];
                ClassGaussians.Fit(
                    new FeatureSubset(shards, rows[..Judged]),
                    Array.ConvertAll(rows[..Judged], DrawnShards.ClassOf),
                    DrawnShards.Classes
                );
                using var images = new NearestImages(new FeatureSubset(shards, rows[Tests..]));
                images.Find(shards.Select(rows.AsSpan(0, Tests)), 3);
                return Contestants.PeakMegabytes();
            }
        );

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        await DrawnShards.WriteAsync(folder.Path, Images, cancellationToken);
        using var ours = await Contestant.StartAsync(["evidence-memory", folder.Path], cancellationToken);
        var measured = (await Contestant.CompeteAsync([ours], 1, cancellationToken))[0];
        return [Figure.Of(Name, "MiB", measured, DrawnShards.Bytes(Images), lessIsBetter: true)];
    }
}
