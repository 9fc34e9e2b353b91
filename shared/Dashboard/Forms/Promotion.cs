namespace Distributed.Dashboard.Forms;

/// <summary>A move of an alias that somebody asks for.</summary>
/// <param name="Alias">The alias.</param>
/// <param name="Version">Where it is to point.</param>
/// <param name="Confidence">How sure it must be that the version is better than the present one; null to move it in any case.</param>
/// <param name="Reason">Why.</param>
public sealed record Promotion(string Alias, int Version, double? Confidence, string? Reason);
