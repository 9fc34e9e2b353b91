namespace Distributed.Contracts;

/// <summary>Asks an Evaluation host for the package of a model, and is answered with <see cref="ModelExported"/>.</summary>
/// <param name="Model">The model.</param>
/// <param name="Version">The number of its version.</param>
public sealed record ExportModel(string Model, int Version);

/// <summary>Where the package of a model is.</summary>
/// <param name="Path">Below the volume's root, with forward slashes; null where it could not be made.</param>
/// <param name="Sha256">SHA-256 of the file.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Refused">Why it could not be made, in a whole sentence; null where it was.</param>
public sealed record ModelExported(string? Path, string? Sha256, long Length, string? Refused = null);
