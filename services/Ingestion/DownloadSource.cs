using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Datasets;
using Distributed.Datasets.Downloads;
using Distributed.Datasets.Sources;
using Microsoft.Extensions.Options;

namespace Distributed.Ingestion;

/// <summary>A file that the system fetches by itself: where from, where to, and what it must be.</summary>
/// <param name="Title">Its name for people.</param>
/// <param name="Url">Where it comes from.</param>
/// <param name="Path">Where it goes, below the volume's root.</param>
/// <param name="Expectation">What it must be.</param>
internal sealed record DownloadSource(string Title, Uri Url, string Path, DownloadExpectation Expectation)
{
    public string Key { get; } = ContentKey.Of("download", Url.AbsoluteUri, Path, Expectation.Sha256 ?? Expectation.Md5 ?? "");

    public Download ToDownload() =>
        new()
        {
            Key = Key,
            Url = Url.AbsoluteUri,
            Path = Path,
        };
}

/// <summary>The files that can be fetched.</summary>
internal sealed class DownloadSources(IOptions<IngestionOptions> options)
{
    public DownloadSource Stl10 { get; init; } =
        new(
            "STL-10",
            Mirror(options.Value.Stl10Url) ?? Stl10Files.ArchiveUrl,
            "sources/stl10_binary.tar.gz",
            new DownloadExpectation(Md5: Stl10Files.ArchiveMd5)
        );

    public DownloadSource ImagenetWeights { get; init; } =
        new(
            "the ImageNet weights of DenseNet-121",
            Mirror(options.Value.ImagenetWeightsUrl) ?? Artifacts.ImagenetWeights.Url,
            Artifacts.ImagenetWeights.VolumePath,
            new DownloadExpectation(Sha256: Artifacts.ImagenetWeights.Sha256)
        );

    public DownloadSource Find(string key) =>
        new[] { Stl10, ImagenetWeights }.FirstOrDefault(source => source.Key == key)
        ?? throw new DatasetException(
            $"The download {key} is none that this host's settings know. Give all Ingestion hosts the same settings."
        );

    /// <summary>A setting without a scheme is a path.</summary>
    private static Uri? Mirror(Uri? setting) =>
        setting is { IsAbsoluteUri: false } ? new Uri(Path.GetFullPath(setting.OriginalString)) : setting;
}
