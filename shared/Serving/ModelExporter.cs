using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Imaging;
using Distributed.Registry;
using Distributed.Storage;
using Distributed.Vision.Export;
using Distributed.Vision.Heads;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Serving;

/// <summary>
/// Makes the packages of models: zip files with the whole network as ONNX, the head, a description and a model card. A package is made when
/// it is
/// asked for; its name carries a token that no row names, so that the sweep of the volume removes it in time.
/// </summary>
public sealed class ModelExporter(
    IDbContextFactory<CatalogContext> contexts,
    ModelRegistry registry,
    Volume volume,
    BackboneLoader backbones
) : IDisposable
{
    /// <summary>A network is in memory while its package is made.</summary>
    private readonly SemaphoreSlim _one = new(1);
    private readonly Dictionary<(string Model, int Version, Guid RunId), StoredFile> _made = [];

    /// <summary>Makes the package of a version; the one made before where it is there still.</summary>
    /// <returns>The zip file on the volume.</returns>
    /// <exception cref="RegistryException">There is no such version.</exception>
    /// <exception cref="StoredFileException">Base or head are missing or damaged.</exception>
    /// <exception cref="WeightsException">The base is not the one that the version was trained with.</exception>
    /// <exception cref="NotSupportedException">The base cannot be written as ONNX.</exception>
    public async Task<StoredFile> ExportAsync(string model, int number, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var version = await registry.ResolveAsync(
                new ModelReference(model, FormattableString.Invariant($"{number}")),
                cancellationToken
            );
            if (_made.TryGetValue((model, number, version.RunId), out var made) && await IsThereAsync(made, cancellationToken))
            {
                return made;
            }

            var written = await volume.WriteAsync(
                $"exports/{version.Head.Sha256[..16]}/{model}-{number}.{Guid.NewGuid():N}.zip",
                (stream, token) => WriteAsync(version, stream, token),
                cancellationToken
            );
            return _made[(model, number, version.RunId)] = written;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Writes the package of a version.</summary>
    /// <inheritdoc cref="ExportAsync"/>
    public async Task WriteAsync(ModelVersion version, Stream target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(version);
        var lineage = ModelLineage.Read(version.Lineage);
        var images = lineage.Features.Preparation;
        var bytes = await volume.ReadAllBytesAsync(version.Head, cancellationToken);
        var head = TrainedHead.Load(bytes, version.Head.Path);
        using var network = new MemoryStream();
        await WriteNetworkAsync(version, lineage, head, network, cancellationToken);
        var content = network.GetBuffer().AsMemory(0, (int)network.Length);
        var description = new ModelDescription
        {
            Format = ModelDescription.CurrentFormat,
            Model = version.ModelName,
            Version = version.Number,
            Classes = lineage.Dataset.Classes,
            InputSize = images.Size,
            Fit = images.Fit,
            CropShare = images.CropShare,
            Decoding = images.Decoding,
            Resampling = images.Resampling,
            Precision = lineage.Features.Precision,
            NetworkSha256 = Convert.ToHexStringLower(SHA256.HashData(content.Span)),
            Lineage = JsonSerializer.SerializeToElement(lineage, JsonSerializerOptions.Web),
        };
        await using var package = await ZipArchive.CreateAsync(target, ZipArchiveMode.Create, leaveOpen: true, null, cancellationToken);
        // The description first, so that a reader that streams knows what comes. Weights do not compress.
        await AddAsync(ModelDescription.FileName, JsonSerializer.SerializeToUtf8Bytes(description, Indented), CompressionLevel.Optimal);
        await AddAsync(ModelDescription.NetworkName, content, CompressionLevel.NoCompression);
        await AddAsync(ModelDescription.HeadName, bytes, CompressionLevel.NoCompression);
        var card = await ModelCard.WriteAsync(contexts, version, cancellationToken);
        await AddAsync(ModelDescription.CardName, System.Text.Encoding.UTF8.GetBytes(card), CompressionLevel.Optimal);

        async Task AddAsync(string name, ReadOnlyMemory<byte> entry, CompressionLevel level)
        {
            var created = package.CreateEntry(name, level);
            // That of the version, whenever it is exported.
            created.LastWriteTime = new DateTimeOffset(version.CreatedAt, TimeSpan.Zero);
            await using var stream = await created.OpenAsync(cancellationToken);
            await stream.WriteAsync(entry, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    private static readonly JsonSerializerOptions Indented = CreateIndented();

    private static JsonSerializerOptions CreateIndented()
    {
        var options = new JsonSerializerOptions { WriteIndented = true };
        ContractJson.Configure(options);
        return options;
    }

    private async Task WriteNetworkAsync(
        ModelVersion version,
        ModelLineage lineage,
        TrainedHead head,
        Stream target,
        CancellationToken cancellationToken
    )
    {
        var features = lineage.Features;
        using var backbone = await backbones.LoadAsync(lineage.Backbone.Sha256, features.Views, features.InputSize, cancellationToken);
        await OnnxExport.WriteClassifierAsync(
            backbone,
            head,
            lineage.Dataset.Classes,
            features.Preparation.Size,
            [
                new("model", version.ModelName),
                new("version", FormattableString.Invariant($"{version.Number}")),
                new("run_id", $"{lineage.RunId:D}"),
                new("fit", features.Fit),
                new("crop_share", features.CropShare.ToString(CultureInfo.InvariantCulture)),
                new("decoding", features.Decoding),
                new("resampling", features.Resampling),
                new("head_sha256", lineage.HeadSha256),
                new("dataset_sha256", lineage.Dataset.Sha256),
                new("licence", lineage.Backbone.Licence ?? ""),
            ],
            target,
            cancellationToken
        );
    }

    private async Task<bool> IsThereAsync(StoredFile file, CancellationToken cancellationToken)
    {
        try
        {
            await volume.VerifyAsync(file, cancellationToken);
            return true;
        }
        catch (StoredFileException)
        {
            // Swept or damaged: it is exported again.
            return false;
        }
    }
}
