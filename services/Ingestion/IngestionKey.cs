using Distributed.Artifacts;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Imaging;

namespace Distributed.Ingestion;

/// <summary>The key of an ingestion: a source whose files, and what is understood of them, have not changed is not read again.</summary>
internal static class IngestionKey
{
    /// <summary>Counts up when packing gives other bytes, or says something else, for the same source.</summary>
    private const string PackerVersion = "3";

    /// <summary>Keys a file index. Names, sizes and time stamps of the files are in its fingerprint; splits and labels follow in its order.</summary>
    /// <param name="fileIndex">The file index.</param>
    /// <param name="preparation">What becomes of each image.</param>
    public static string Of(FileIndex fileIndex, ImagePreparation preparation) =>
        ContentKey.Of(
            "ingestion",
            PackerVersion,
            fileIndex.Root,
            fileIndex.Source,
            fileIndex.DisplayName,
            fileIndex.Fingerprint,
            ContentKey.Of([.. fileIndex.ClassNames]),
            string.Join(
                ' ',
                fileIndex.Entries.CountBy(entry => (entry.Split, entry.Label)).Select(run => $"{run.Key.Split} {run.Key.Label} {run.Value}")
            ),
            ContentKey.Of([.. fileIndex.Skipped.SelectMany(file => new[] { file.Name, $"{file.Reason}", file.Detail })]),
            ContentKey.Of([.. fileIndex.Notes]),
            preparation.Description
        );
}
