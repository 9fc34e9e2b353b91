using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Distributed.Contracts;

namespace Distributed.Inference;

/// <summary>Reads the packages of models.</summary>
internal static class ModelPackage
{
    private static readonly JsonSerializerOptions Json = CreateOptions();

    /// <summary>Reads description and network, and checks that they belong together.</summary>
    /// <exception cref="ModelFileException">The file is no package, is damaged, or is of a later version.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static (ModelDescription Description, byte[] Network) Read(string path)
    {
        try
        {
            using var package = ZipFile.OpenRead(path);
            var description = ReadDescription(package, path);
            var network = ReadEntry(package, ModelDescription.NetworkName, path);
            return Convert.ToHexStringLower(SHA256.HashData(network)) == description.NetworkSha256
                ? (description, network)
                : throw new ModelFileException(
                    $"The network in '{path}' is not the one that was exported: the file is damaged. Export the model again."
                );
        }
        catch (InvalidDataException exception)
        {
            throw new ModelFileException(
                $"'{path}' is no zip file, or is damaged. Give the package of a model, as 'model export' writes it.",
                exception
            );
        }
    }

    private static ModelDescription ReadDescription(ZipArchive package, string path)
    {
        try
        {
            var bytes = ReadEntry(package, ModelDescription.FileName, path);
            using var json = JsonDocument.Parse(bytes);
            var format = json.RootElement.GetProperty("format").GetString();
            return format == ModelDescription.CurrentFormat
                ? json.Deserialize<ModelDescription>(Json)!
                : throw new ModelFileException(
                    $"'{path}' is of the format '{format}', and this version of the library reads '{ModelDescription.CurrentFormat}'. Use a later version of the library."
                );
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new ModelFileException(
                $"{ModelDescription.FileName} in '{path}' cannot be understood: {exception.Message} Export the model again.",
                exception
            );
        }
    }

    private static byte[] ReadEntry(ZipArchive package, string name, string path)
    {
        var entry =
            package.GetEntry(name)
            ?? throw new ModelFileException($"'{path}' holds no {name}: it is a zip file of something else, and no package of a model.");
        using var stream = entry.Open();
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }

    private static JsonSerializerOptions CreateOptions()
    {
        var options = new JsonSerializerOptions();
        ContractJson.Configure(options);
        // A later version may say more.
        options.UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Skip;
        return options;
    }
}
