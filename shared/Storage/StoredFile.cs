namespace Distributed.Storage;

/// <summary>A file on the volume as the catalog knows it: readers open only what such a record names, and check it.</summary>
/// <param name="Path">Path below the volume's root, with forward slashes.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="Sha256">SHA-256 of the content, 64 lower-case hexadecimal digits.</param>
public sealed record StoredFile(string Path, long Length, string Sha256);
