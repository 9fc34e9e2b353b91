using System.Security.Cryptography;
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
using Distributed.Vision.Onnx;
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
    BackboneList list,
    TimeProvider time
) : IDisposable
{
    private (Named[] Named, int Blocks, IBackbone Backbone)? _latest;

    /// <summary>Loads the weights that a specification names, where they are not those of the call before. For one caller at a time.</summary>
    /// <returns>The weights, which stay this store's own.</returns>
    /// <exception cref="WeightsException">They are missing, damaged, or of another architecture.</exception>
    /// <exception cref="DatasetException">Their path may not be read.</exception>
    public IBackbone Load(RunSpecification specification)
    {
        RunSpecification[] parts = [.. PartsOf(specification)];
        var named = Array.ConvertAll(parts, Name);
        if (_latest is { } latest && latest.Blocks == specification.Blocks && latest.Named.SequenceEqual(named))
        {
            return latest.Backbone;
        }

        var backbone = Read(parts, named, specification.Blocks);
        Dispose();
        _latest = (named, specification.Blocks, backbone);
        return backbone;
    }

    public void Dispose()
    {
        _latest?.Backbone.Dispose();
        _latest = null;
    }

    /// <summary>A specification for each of the bases that are joined; what is said of an ONNX file is said of the first one.</summary>
    private static IEnumerable<RunSpecification> PartsOf(RunSpecification specification) =>
        [
            specification,
            .. specification.JoinedBackbones.Select(joined =>
                specification with
                {
                    Backbone = joined,
                    Architecture = null,
                    BackboneOutput = null,
                    PixelMean = [],
                    PixelStd = [],
                    ChannelOrder = ChannelOrder.Rgb,
                }
            ),
        ];

    private static IBackbone Read(RunSpecification[] parts, Named[] named, int blocks)
    {
        var read = new List<IBackbone>();
        try
        {
            foreach (var (part, name) in parts.Zip(named))
            {
                read.Add(Read(part, name));
            }
        }
        catch
        {
            read.ForEach(part => part.Dispose());
            throw;
        }

        return read is [var only] && blocks == 1
            ? only
            : JoinedBackbone.Create(read, blocks, new BackboneParts([.. read.Select(part => part.Sha256)], blocks).Key);
    }

    /// <summary>What a specification names; a file that has changed since is another one.</summary>
    private Named Name(RunSpecification specification)
    {
        var known = list.Find(specification.Backbone);
        var source =
            specification.Backbone == BackboneSource.Random ? BackboneLoader.RandomSource(specification.Seed)
            : known is null ? roots.Resolve(specification.Backbone)
            : BackboneSource.ShippedPath(known) ?? volume.FullPath(known.VolumePath);
        var file = specification.Backbone == BackboneSource.Random ? null : new FileInfo(source);
        return new Named(
            known,
            specification.Architecture,
            source,
            OnnxSettingsOf(specification, known)?.Write() ?? specification.BackboneOutput,
            file is { Exists: true } ? file.Length : null,
            file?.LastWriteTimeUtc
        );
    }

    /// <summary>How an ONNX file is used, where list or specification say it; null where a file beside it may.</summary>
    private static OnnxSettings? OnnxSettingsOf(RunSpecification specification, PretrainedBase? known)
    {
        var usual = known?.Preprocessing;
        var isGiven = specification.PixelMean.Count > 0;
        if (usual is null && !isGiven)
        {
            return null;
        }

        var preprocessing = isGiven
            ? new Preprocessing(
                [.. specification.PixelMean.Select(value => (float)value)],
                [.. specification.PixelStd.Select(value => (float)value)],
                specification.ChannelOrder == ChannelOrder.Bgr
            )
            : usual!;
        return OnnxSettings.Of(preprocessing, specification.BackboneOutput ?? known?.Output);
    }

    private static IBackbone Read(RunSpecification specification, Named named)
    {
        var known = named.Known;
        if (known?.Url is not null && !File.Exists(named.Source))
        {
            throw new WeightsException($"The weights of {known.Name} are not at {named.Source}. Retry the run, and they are fetched.");
        }

        if (known is { Sha256: { } published } && HashOf(named.Source) is var found && found != published)
        {
            throw new WeightsException(
                $"The file {named.Source} is not the published one of {known.Name}: its SHA-256 is {found}, not {published}. "
                    + (
                        known.Url is null
                            ? "It belongs to the host's files: install them again."
                            : "Remove it, and the next run fetches it again."
                    )
            );
        }

        var asked = specification.Architecture is { } name ? NetworkArchitecture.ByName(name) : known?.Architecture;
        var onnx = OnnxSettingsOf(specification, known);
        var backbone = BackboneSource.Load(
            named.Source,
            specification.Backbone == BackboneSource.Random ? asked : null,
            known?.Origin,
            onnx,
            specification.BackboneOutput
        );
        if (asked is not null && backbone.Name != asked.Name)
        {
            backbone.Dispose();
            throw new WeightsException(
                $"The weights '{specification.Backbone}' are of {backbone.Name}, and the specification's architecture is "
                    + $"{asked.Name}. Leave the architecture out, so that it is read from the file, or give other weights."
            );
        }

        if (backbone.Onnx is null && (specification.BackboneOutput is not null || specification.PixelMean.Count > 0))
        {
            backbone.Dispose();
            throw new WeightsException(
                $"The weights '{specification.Backbone}' are no ONNX file, and backboneOutput, pixelMean and pixelStd are for ONNX files. Leave them out."
            );
        }

        if (specification.Backbone != BackboneSource.Random && known is not { Sha256: not null, Architecture: not null })
        {
            Prove(backbone);
        }

        return backbone;
    }

    /// <summary>What the catalog is to know of some weights; files from outside are copied to the volume first.</summary>
    /// <returns>The rows, those of parts first and that of the weights last; where the copy that the catalog names so far is damaged, with that file: then the row names a new copy.</returns>
    /// <exception cref="WeightsException">A base without a published hash is another file than at its first use.</exception>
    public async Task<IReadOnlyList<DescribedBackbone>> DescribeAsync(
        RunSpecification specification,
        IBackbone backbone,
        JobLease lease,
        CancellationToken cancellationToken
    )
    {
        if (backbone is not JoinedBackbone joined)
        {
            return [await DescribePartAsync(specification, backbone, lease, cancellationToken)];
        }

        var rows = new List<DescribedBackbone>();
        foreach (var (part, loaded) in PartsOf(specification).Zip(joined.Parts))
        {
            rows.Add(await DescribePartAsync(part, loaded, lease, cancellationToken));
        }

        rows.Add(
            new DescribedBackbone(
                new Backbone
                {
                    Sha256 = joined.Sha256,
                    Source = string.Join('+', PartsOf(specification).Select(part => part.Backbone)),
                    Architecture = joined.Name,
                    Origin = joined.Origin,
                    Parts = new BackboneParts([.. joined.Parts.Select(part => part.Sha256)], joined.Blocks).Write(),
                    CreatedAt = time.GetUtcNow().UtcDateTime,
                },
                Damaged: null
            )
        );
        return rows;
    }

    private async Task<DescribedBackbone> DescribePartAsync(
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
            return new DescribedBackbone(known, Damaged: null);
        }

        var named = Name(specification);
        var isOwn = specification.Backbone == BackboneSource.Random || named.Known?.ShippedFile is not null;
        var described = new Backbone
        {
            Sha256 = backbone.Sha256,
            Source = specification.Backbone,
            Architecture = backbone.Name,
            Origin = backbone.Origin,
            Seed = specification.Backbone == BackboneSource.Random ? specification.Seed : null,
            Settings = backbone.Onnx?.Settings.Write(),
            File = isOwn ? null : await CopyAsync(named, backbone, lease, cancellationToken),
            CreatedAt = time.GetUtcNow().UtcDateTime,
        };
        await ThrowIfReplacedAsync(context, named.Known, described, cancellationToken);
        return new DescribedBackbone(described, known?.File);
    }

    private static async Task ThrowIfReplacedAsync(
        CatalogContext context,
        PretrainedBase? known,
        Backbone described,
        CancellationToken cancellationToken
    )
    {
        if (known is not { Url: not null, Sha256: null })
        {
            return;
        }

        var before = await context
            .Backbones.AsNoTracking()
            .Where(row => row.Source == known.Name && row.File != null)
            .OrderBy(row => row.CreatedAt)
            .Select(row => row.File!.Sha256)
            .FirstOrDefaultAsync(cancellationToken);
        if (before is not null && before != described.File!.Sha256)
        {
            throw new WeightsException(
                $"{known.Name} was another file at its first use: its SHA-256 was {before}, and is {described.File.Sha256}. The publisher "
                    + "replaced it, or somebody on the way did. Give the new file by its path, or under a name of its own."
            );
        }
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

    /// <summary>A copy of what was loaded, tensors beside an ONNX file included.</summary>
    private async Task<StoredFile> CopyAsync(Named named, IBackbone backbone, JobLease lease, CancellationToken cancellationToken)
    {
        await using var source = named.Known is null ? roots.OpenRead(named.Source) : File.OpenRead(named.Source);
        await using var content = backbone.Onnx is null ? source : BackboneSource.OpenWhole(named.Source);
        var copy = await volume.WriteAsync(
            $"backbones/{backbone.Sha256}.{lease.TokenText}{Path.GetExtension(source.Name)}",
            (target, token) => content.CopyToAsync(target, token),
            cancellationToken
        );
        var expected = backbone.Onnx?.FileSha256 ?? backbone.Sha256;
        return copy.Sha256 == expected
            ? copy
            : throw new WeightsException(
                $"'{source.Name}' was changed while it was read: its SHA-256 was {expected}, and then {copy.Sha256}. Submit the "
                    + "run again when the file is whole."
            );
    }

    private static string HashOf(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private sealed record Named(PretrainedBase? Known, string? Architecture, string Source, string? Onnx, long? Length, DateTime? Written);
}

/// <summary>What the catalog is to know of a base.</summary>
/// <param name="Row">The row.</param>
/// <param name="Damaged">The copy that the catalog names so far, where it is damaged.</param>
internal sealed record DescribedBackbone(Backbone Row, StoredFile? Damaged);
