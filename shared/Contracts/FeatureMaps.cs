namespace Distributed.Contracts;

/// <summary>Asks an Evaluation host for the map of a feature set, which it writes into the catalog, and is answered with <see cref="FeaturesMapped"/>.</summary>
/// <param name="FeatureSetKey">The feature set.</param>
public sealed record MapFeatures(string FeatureSetKey);

/// <summary>The map is in the catalog, or cannot be made.</summary>
/// <param name="Refused">Why it could not be made, in a whole sentence; null where it was.</param>
public sealed record FeaturesMapped(string? Refused = null);
