using System.IO.Compression;
using System.Text;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Registry;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Predictions;

/// <summary>A file of a model.</summary>
/// <param name="ContentType">What it is.</param>
/// <param name="Name">A name to save it under.</param>
/// <param name="CopyToAsync">Writes its content to a stream.</param>
internal sealed record ModelDownload(string ContentType, string Name, Func<Stream, Task> CopyToAsync);

/// <summary>Finds the files of models; packages are made by Evaluation workers, which can read networks.</summary>
internal sealed class ModelFiles(ModelRegistry registry, RequestSender sender, Volume volume, IDbContextFactory<CatalogContext> contexts)
{
    /// <summary>A large base on a slow disk.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Finds a file, and makes sure that it is whole.</summary>
    /// <exception cref="RegistryException">There is no such version.</exception>
    /// <exception cref="PredictionRefusedException">A worker cannot make it.</exception>
    /// <exception cref="RequestRefusedException">No worker can answer at the moment.</exception>
    /// <exception cref="TimeoutException">There was no answer in time.</exception>
    /// <exception cref="StoredFileException">The file on the volume is missing or damaged.</exception>
    public async Task<ModelDownload> FindAsync(ModelReference reference, ModelFile kind, CancellationToken cancellationToken)
    {
        const string Binary = "application/octet-stream";
        var version = await registry.ResolveAsync(reference, cancellationToken);
        var name = $"{version.ModelName}-{version.Number}";
        switch (kind)
        {
            case ModelFile.Card:
                var card = await ModelCard.WriteAsync(contexts, version, cancellationToken);
                return new ModelDownload(
                    "text/markdown; charset=utf-8",
                    name + ".md",
                    body => body.WriteAsync(Encoding.UTF8.GetBytes(card), cancellationToken).AsTask()
                );
            case ModelFile.Head:
                await volume.VerifyAsync(version.Head, cancellationToken);
                return new ModelDownload(Binary, name + ".safetensors", body => CopyAsync(version.Head, body, cancellationToken));
            case ModelFile.Onnx:
                var whole = await MakePackageAsync(version, cancellationToken);
                return new ModelDownload(Binary, name + ".onnx", body => CopyNetworkAsync(whole, body, cancellationToken));
            default:
                var package = await MakePackageAsync(version, cancellationToken);
                return new ModelDownload("application/zip", name + ".zip", body => CopyAsync(package, body, cancellationToken));
        }
    }

    private async Task<StoredFile> MakePackageAsync(ModelVersion version, CancellationToken cancellationToken)
    {
        var made = await sender.SendAsync<ExportModel, ModelExported>(
            RequestKind.ExportModel,
            new ExportModel(version.ModelName, version.Number),
            Patience,
            cancellationToken
        );
        if (made is not { Path: { } path, Sha256: { } sha256 })
        {
            throw new PredictionRefusedException(made.Refused!);
        }

        var package = new StoredFile(path, made.Length, sha256);
        await volume.VerifyAsync(package, cancellationToken);
        return package;
    }

    private async Task CopyAsync(StoredFile file, Stream body, CancellationToken cancellationToken)
    {
        await using var stream = File.OpenRead(volume.FullPath(file.Path));
        await stream.CopyToAsync(body, cancellationToken);
    }

    private async Task CopyNetworkAsync(StoredFile package, Stream body, CancellationToken cancellationToken)
    {
        await using var archive = await ZipFile.OpenReadAsync(volume.FullPath(package.Path), cancellationToken);
        await using var network = await archive.GetEntry(ModelDescription.NetworkName)!.OpenAsync(cancellationToken);
        await network.CopyToAsync(body, cancellationToken);
    }
}
