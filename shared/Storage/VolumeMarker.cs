namespace Distributed.Storage;

/// <summary>What the marker of a volume says.</summary>
/// <param name="Id">The volume's id; null in a volume that a version of the program without ids has begun.</param>
/// <param name="IsNew">Whether the volume is being begun, and no catalog is known to have its id yet.</param>
public sealed record VolumeMarker(Guid? Id, bool IsNew = false)
{
    private const string New = "new";

    /// <summary>The text of the marker's file.</summary>
    internal string Write() => $"{Id:D}{(IsNew ? $" {New}" : "")}\n";

    /// <summary>Reads the text of a marker's file; null where it is none.</summary>
    internal static VolumeMarker? Read(string text) =>
        text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) switch
        {
            [] => new VolumeMarker(Id: null),
            [var id] when Guid.TryParseExact(id, "D", out var parsed) => new VolumeMarker(parsed),
            [var id, New] when Guid.TryParseExact(id, "D", out var parsed) => new VolumeMarker(parsed, IsNew: true),
            _ => null,
        };
}
