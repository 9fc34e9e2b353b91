namespace Distributed.Faults;

/// <summary>A host that cannot work, and what it has to make of that.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Service">Its service.</param>
/// <param name="Program">Its program.</param>
/// <param name="Settings">Settings that differ from those of all hosts.</param>
/// <param name="Status">The status that it ends with; null where it waits, and says so in readiness.</param>
/// <param name="Says">Part of its last line, or of what readiness says.</param>
internal sealed record BadHost(
    string Name,
    string Service,
    string Program,
    IReadOnlyDictionary<string, string?> Settings,
    int? Status,
    string Says
);
