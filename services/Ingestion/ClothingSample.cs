using Distributed.Datasets;
using Distributed.Datasets.Archives;
using Distributed.Storage;

namespace Distributed.Ingestion;

/// <summary>The data set <c>clothing</c>: photos that are shipped with this service. <c>Samples/README.md</c> says where they come from.</summary>
internal static class ClothingSample
{
    /// <summary>SHA-256 of the archive; it names the folder, so that another archive is unpacked beside it.</summary>
    public const string Sha256 = "9299f8eab65e1fad49ab7c63be07ac58951347ad476b45b474c8b7293936747d";

    /// <summary>The archive, beside the service's files.</summary>
    public static string Archive { get; } = Path.Combine(AppContext.BaseDirectory, "Samples", "clothing.zip");

    /// <summary>Unpacks it onto the volume where it is not there yet.</summary>
    /// <returns>The folder.</returns>
    /// <exception cref="DatasetException">The service was installed without it.</exception>
    public static async Task<string> UnpackAsync(Volume volume, CancellationToken cancellationToken)
    {
        var folder = volume.FullPath($"sources/clothing-{Sha256[..16]}");
        await DatasetArchive.ExtractAsync(Archive, folder, cancellationToken);
        return folder;
    }
}
