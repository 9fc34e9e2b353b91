namespace Distributed.Dashboard.Forms;

/// <summary>A version of a model that a run's head is.</summary>
/// <param name="Model">The model.</param>
/// <param name="Number">The version.</param>
/// <param name="Aliases">The aliases that point to it.</param>
public sealed record MadeVersion(string Model, int Number, IReadOnlyList<string> Aliases);
