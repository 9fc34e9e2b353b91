using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Datasets;
using Distributed.Datasets.Downloads;
using Distributed.Datasets.Sources;
using Distributed.Networks;
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
internal sealed class DownloadSources(IOptions<IngestionOptions> options, BackboneList backbones)
{
    public DownloadSource Stl10 { get; init; } =
        new(
            "STL-10",
            Mirror(options.Value.Stl10Url) ?? Stl10Files.ArchiveUrl,
            "sources/stl10_binary.tar.gz",
            new DownloadExpectation(Md5: Stl10Files.ArchiveMd5)
        );

    /// <summary>The file of a base; null where its name is none, or its file is delivered.</summary>
    public DownloadSource? Backbone(string name) =>
        backbones.Find(name) is { Url: { } url } found
            ? new DownloadSource(
                $"the weights of {found.Name}",
                url,
                found.VolumePath,
                new DownloadExpectation(Sha256: found.Sha256, Sha256Prefix: found.Sha256Prefix)
            )
            : null;

    public DownloadSource Find(string key) =>
        backbones
            .All.Select(known => Backbone(known.Name))
            .OfType<DownloadSource>()
            .Prepend(Stl10)
            .FirstOrDefault(source => source.Key == key)
        ?? throw new DatasetException(
            $"The download {key} is none that this host's settings know. Give all Ingestion hosts the same settings."
        );

    /// <summary>A setting without a scheme is a path.</summary>
    private static Uri? Mirror(Uri? setting) =>
        setting is { IsAbsoluteUri: false } ? new Uri(Path.GetFullPath(setting.OriginalString)) : setting;
}
