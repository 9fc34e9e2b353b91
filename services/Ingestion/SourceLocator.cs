using Distributed.Artifacts;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Archives;
using Distributed.Datasets.Sources;
using Distributed.Storage;
using Microsoft.Extensions.Options;

namespace Distributed.Ingestion;

/// <summary>The folder that a data set stands for.</summary>
/// <param name="Folder">The folder to list.</param>
/// <param name="Archive">The archive it was extracted from, as the specification names it; null for a folder that was given as one, or that the program made.</param>
/// <param name="Notes">How names in the archive were understood where that is not plain.</param>
internal sealed record LocatedSource(string Folder, string? Archive, IReadOnlyList<string> Notes)
{
    /// <summary>Lists it; what is said of it, errors among that, names the archive and not the folder.</summary>
    /// <param name="roots">Directories that links in the source may lead to.</param>
    /// <param name="areLabelled">Whether classes are asked for, and so must be there.</param>
    /// <param name="cancellationToken">Stops the listing.</param>
    /// <exception cref="DatasetException">It cannot be read, or is not what is asked for.</exception>
    public async Task<FileIndex> ListAsync(DataRoots roots, bool areLabelled, CancellationToken cancellationToken)
    {
        try
        {
            var fileIndex = areLabelled
                ? await DatasetSource.ListAsync(Folder, roots, progress: null, cancellationToken)
                : await DatasetSource.ListImagesAsync(Folder, roots, progress: null, cancellationToken);
            return Archive is null
                ? fileIndex
                : fileIndex with
                {
                    Archive = Archive,
                    // A folder inside has a name of its own; that of the one it was extracted to says nothing.
                    DisplayName = fileIndex.DisplayName == Path.GetFileName(Folder) ? Path.GetFileName(Archive) : fileIndex.DisplayName,
                    Notes = [.. Notes, .. fileIndex.Notes.Select(note => Shown(note, Archive))],
                };
        }
        catch (DatasetException exception) when (Archive is not null)
        {
            throw new DatasetException(Shown(exception.Message, Archive), exception);
        }
    }

    private string Shown(string text, string archive) => text.Replace(Folder, archive, StringComparison.Ordinal);
}

/// <summary>Finds the folder that a specification's data set stands for, making it first where that takes no network.</summary>
internal sealed class SourceLocator(Volume volume, DataRoots roots, DownloadSources sources, IOptions<IngestionOptions> options)
{
    /// <summary>Counts up when an archive is extracted to other names or files.</summary>
    private const string ExtractionVersion = "2";

    private const string Sample = "sample";
    private const string Clothing = "clothing";
    private const string Stl10 = "stl10";

    /// <summary>What people call a data set of ours; null where the files say.</summary>
    public static string? NameOf(RunSpecification specification) =>
        specification.Dataset switch
        {
            Sample => $"sample (drawn with split seed {specification.SplitSeed})",
            Clothing => Clothing,
            _ => null,
        };

    /// <summary>What must be fetched before the run can go on.</summary>
    public IReadOnlyList<DownloadSource> FindMissing(RunSpecification specification)
    {
        var missing = new List<DownloadSource>();
        if (specification.Dataset == Stl10 && !Directory.Exists(Stl10Folder) && !IsThere(sources.Stl10))
        {
            missing.Add(sources.Stl10);
        }

        // The weights of a model are on the volume.
        if (specification.Model is null)
        {
            missing.AddRange(
                specification
                    .Candidates.Concat(specification.JoinedBackbones)
                    .Prepend(specification.Backbone)
                    .Distinct()
                    .Select(sources.Backbone)
                    .OfType<DownloadSource>()
                    .Where(weights => !IsThere(weights))
            );
        }

        return missing;
    }

    /// <summary>The folder to list.</summary>
    /// <exception cref="DatasetException">The path is not allowed, or is neither folder nor archive.</exception>
    public async Task<LocatedSource> LocateAsync(RunSpecification specification, CancellationToken cancellationToken)
    {
        // What is made below is not written through the volume.
        volume.ThrowIfAway();
        switch (specification.Dataset)
        {
            case Sample:
                return new LocatedSource(await DrawSampleAsync(specification.SplitSeed, cancellationToken), Archive: null, Notes: []);
            case Clothing:
                return new LocatedSource(await ClothingSample.UnpackAsync(volume, cancellationToken), Archive: null, Notes: []);
            case Stl10:
                if (!Directory.Exists(Stl10Folder))
                {
                    await DatasetArchive.ExtractAsync(volume.FullPath(sources.Stl10.Path), Stl10Folder, cancellationToken);
                }

                return new LocatedSource(Stl10Folder, Archive: null, Notes: []);
            default:
                var path = roots.Resolve(specification.Dataset);
                return Directory.Exists(path)
                    ? new LocatedSource(path, Archive: null, Notes: [])
                    : await ExtractAsync(path, cancellationToken);
        }
    }

    private string Stl10Folder => volume.FullPath("sources/stl10");

    private bool IsThere(DownloadSource source) => File.Exists(volume.FullPath(source.Path));

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

    private async Task<LocatedSource> ExtractAsync(string archive, CancellationToken cancellationToken)
    {
        var info = new FileInfo(archive);
        var key = ContentKey.Of("archive", ExtractionVersion, archive, $"{info.Length}", $"{info.LastWriteTimeUtc.Ticks}");
        var folder = volume.FullPath($"sources/archive-{key}");
        var notes = await DatasetArchive.ExtractAsync(archive, folder, cancellationToken);
        return new LocatedSource(folder, archive, notes);
    }
}
