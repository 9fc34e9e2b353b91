using Distributed.Artifacts;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Storage;
using Microsoft.Extensions.Options;

namespace Distributed.Ingestion;

/// <summary>Finds the folder that a specification's data set stands for, making it first where that takes no network.</summary>
internal sealed class SourceLocator(Volume volume, DataRoots roots, Fetchables fetchables, IOptions<IngestionOptions> options)
{
    private const string Sample = "sample";
    private const string Stl10 = "stl10";
    private const string Imagenet = "imagenet";

    /// <summary>What people call a data set of ours; null where the files say.</summary>
    public static string? NameOf(RunSpecification specification) => specification.Dataset == Sample ? $"sample (drawn with split seed {specification.SplitSeed})" : null;

    /// <summary>What must be fetched before the run can go on.</summary>
    public IReadOnlyList<Fetchable> FindMissing(RunSpecification specification)
    {
        var missing = new List<Fetchable>();
        if (specification.Dataset == Stl10 && !Directory.Exists(Stl10Folder) && !IsThere(fetchables.Stl10))
        {
            missing.Add(fetchables.Stl10);
        }

        if (specification.Backbone == Imagenet && !IsThere(fetchables.ImagenetWeights))
        {
            missing.Add(fetchables.ImagenetWeights);
        }

        return missing;
    }

    /// <summary>The folder to list.</summary>
    /// <exception cref="DatasetException">The path is not allowed, or is neither folder nor archive.</exception>
    public async Task<string> LocateAsync(RunSpecification specification, CancellationToken cancellationToken)
    {
        // What is made below is not written through the volume.
        volume.ThrowIfAway();
        switch (specification.Dataset)
        {
            case Sample:
                return await DrawSampleAsync(specification.SplitSeed, cancellationToken);
            case Stl10:
                if (!Directory.Exists(Stl10Folder))
                {
                    await DatasetArchive.ExtractAsync(volume.FullPath(fetchables.Stl10.Path), Stl10Folder, cancellationToken);
                }

                return Stl10Folder;
            default:
                var path = roots.Resolve(specification.Dataset);
                return Directory.Exists(path) ? path : await ExtractAsync(path, cancellationToken);
        }
    }

    private string Stl10Folder => volume.FullPath("sources/stl10");

    private bool IsThere(Fetchable fetchable) => File.Exists(volume.FullPath(fetchable.Path));

    private async Task<string> DrawSampleAsync(int seed, CancellationToken cancellationToken)
    {
        var (train, test) = (options.Value.SampleTrainImages, options.Value.SampleTestImages);
        var folder = volume.FullPath($"sources/sample-{seed}-{train}-{test}");
        if (!File.Exists(Path.Combine(folder, Stl10Files.TrainImages)))
        {
            await SampleDataset.WriteAsync(folder, seed, train, test, cancellationToken);
        }

        return folder;
    }

    private async Task<string> ExtractAsync(string archive, CancellationToken cancellationToken)
    {
        var info = new FileInfo(archive);
        var key = ContentKey.Of("archive", archive, $"{info.Length}", $"{info.LastWriteTimeUtc.Ticks}");
        var folder = volume.FullPath($"sources/archive-{key}");
        await DatasetArchive.ExtractAsync(archive, folder, cancellationToken);
        return folder;
    }
}
