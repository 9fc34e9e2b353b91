using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Sources;
using Distributed.Jobs;
using Distributed.Networks;
using Distributed.Serving;
using Distributed.Storage;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Training;

/// <summary>Finds the weights that runs name, and keeps those that come from elsewhere on the volume, so that every worker has the same.</summary>
/// <remarks>The weights of the latest run that was planned stay loaded, since most runs that follow each other name the same.</remarks>
internal sealed class BackboneStore(
    IDbContextFactory<CatalogContext> contexts,
    Volume volume,
    DatasetArtifacts artifacts,
    DataRoots roots,
    TimeProvider time
) : IDisposable
{
    private const string Imagenet = "imagenet";

    private (Named Named, IBackbone Backbone)? _latest;

    /// <summary>Loads the weights that a specification names, where they are not those of the call before. For one caller at a time.</summary>
    /// <returns>The weights, which stay this store's own.</returns>
    /// <exception cref="WeightsException">They are missing, damaged, or of another architecture.</exception>
    /// <exception cref="DatasetException">Their path may not be read.</exception>
    public IBackbone Load(RunSpecification specification)
    {
        var named = Name(specification);
        if (_latest is { } latest && latest.Named == named)
        {
            return latest.Backbone;
        }

        var backbone = Read(specification, named.Source);
        Dispose();
        _latest = (named, backbone);
        return backbone;
    }

    public void Dispose()
    {
        _latest?.Backbone.Dispose();
        _latest = null;
    }

    /// <summary>What a specification names; a file that has changed since is another one.</summary>
    private Named Name(RunSpecification specification)
    {
        var source = specification.Backbone switch
        {
            BackboneSource.Random => BackboneLoader.RandomSource(specification.Seed),
            BackboneSource.Demo => BackboneSource.Demo,
            Imagenet => volume.FullPath(ImagenetWeights.VolumePath),
            var path => roots.Resolve(path),
        };
        var file = specification.Backbone is BackboneSource.Random or BackboneSource.Demo ? null : new FileInfo(source);
        return new Named(
            specification.Backbone,
            specification.Architecture,
            source,
            file is { Exists: true } ? file.Length : null,
            file?.LastWriteTimeUtc
        );
    }

    private IBackbone Read(RunSpecification specification, string source)
    {
        var asked = specification.Architecture is { } name ? NetworkArchitecture.ByName(name) : null;
        var backbone = specification.Backbone switch
        {
            BackboneSource.Random => BackboneSource.Load(source, asked),
            Imagenet => BackboneSource.Load(source, title: DenseNet.Imagenet.Origin),
            _ => BackboneSource.Load(source),
        };
        var complaint =
            asked is not null && backbone.Name != asked.Name
                ? $"The weights '{specification.Backbone}' are of {backbone.Name}, and the specification's architecture is "
                    + $"{asked.Name}. Leave the architecture out, so that it is read from the file, or give other weights."
            : specification.Backbone == Imagenet && backbone.Sha256 != ImagenetWeights.Sha256
                ? $"The file {volume.FullPath(ImagenetWeights.VolumePath)} is not the published one: its SHA-256 is "
                    + $"{backbone.Sha256}, not {ImagenetWeights.Sha256}. Remove it, and the next run fetches it again."
            : null;
        if (complaint is not null)
        {
            backbone.Dispose();
            throw new WeightsException(complaint);
        }

        if (specification.Backbone is not (BackboneSource.Random or BackboneSource.Demo or Imagenet))
        {
            Prove(backbone);
        }

        return backbone;
    }

    /// <summary>What the catalog is to know of some weights; a file from outside is copied to the volume first.</summary>
    /// <returns>The row, and where the copy that the catalog names so far is damaged, that file: then the row names a new copy.</returns>
    public async Task<(Backbone Row, StoredFile? Damaged)> DescribeAsync(
        RunSpecification specification,
        IBackbone backbone,
        JobLease lease,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var known = await context.Backbones.AsNoTracking().SingleOrDefaultAsync(row => row.Sha256 == backbone.Sha256, cancellationToken);
        if (known is not null && (known.File is not { } file || await artifacts.IsWholeAsync(file, cancellationToken)))
        {
            return (known, null);
        }

        var described = new Backbone
        {
            Sha256 = backbone.Sha256,
            Source = specification.Backbone,
            Architecture = backbone.Name,
            Origin = backbone.Origin,
            Seed = specification.Backbone == BackboneSource.Random ? specification.Seed : null,
            File = specification.Backbone switch
            {
                BackboneSource.Random or BackboneSource.Demo => null,
                Imagenet => await CopyAsync(
                    File.OpenRead(volume.FullPath(ImagenetWeights.VolumePath)),
                    backbone.Sha256,
                    lease,
                    cancellationToken
                ),
                var path => await CopyAsync(roots.OpenRead(path), backbone.Sha256, lease, cancellationToken),
            },
            CreatedAt = time.GetUtcNow().UtcDateTime,
        };
        return (described, known?.File);
    }

    private static void Prove(IBackbone backbone)
    {
        try
        {
            BackboneProbe.ThrowIfUnusable(backbone);
        }
        catch
        {
            backbone.Dispose();
            throw;
        }
    }

    private async Task<StoredFile> CopyAsync(FileStream source, string sha256, JobLease lease, CancellationToken cancellationToken)
    {
        await using (source)
        {
            var copy = await volume.WriteAsync(
                $"backbones/{sha256}.{lease.TokenText}{Path.GetExtension(source.Name)}",
                (target, token) => source.CopyToAsync(target, token),
                cancellationToken
            );
            return copy.Sha256 == sha256
                ? copy
                : throw new WeightsException(
                    $"'{source.Name}' was changed while it was read: its SHA-256 was {sha256}, and then {copy.Sha256}. Submit the "
                        + "run again when the file is whole."
                );
        }
    }

    private sealed record Named(string Backbone, string? Architecture, string Source, long? Length, DateTime? Written);
}
