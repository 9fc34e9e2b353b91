using Distributed.Storage;

namespace Distributed.Catalog;

/// <summary>A name under which heads for one purpose are kept, one version after the other. Table <c>models</c>.</summary>
public sealed class Model
{
    /// <summary>Lower-case letters, digits, dots, dashes and underscores; at most 64.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for, in words.</summary>
    public string? Description { get; set; }

    /// <summary>How often the description was changed: who changes it says which version is meant.</summary>
    public int Revision { get; set; }

    /// <summary>The number of its latest version, also where that is deleted: numbers are not given twice.</summary>
    public int LatestNumber { get; set; }

    /// <summary>When it was created (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}

/// <summary>The head of a completed run as a version of a model. It does not change. Table <c>model_versions</c>.</summary>
public sealed class ModelVersion
{
    /// <summary>The model.</summary>
    public required string ModelName { get; init; }

    /// <summary>Counted from 1.</summary>
    public required int Number { get; init; }

    /// <summary>The run; it cannot be deleted as long as the version is there.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The head.</summary>
    public required StoredFile Head { get; init; }

    /// <summary>JSON: everything that it takes to repeat it, and how it did (<c>ModelLineage</c> of the registry).</summary>
    public required string Lineage { get; init; }

    /// <summary>What people should know of it.</summary>
    public string? Note { get; init; }

    /// <summary>When it was registered (UTC).</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>Who registered it.</summary>
    public required string CreatedBy { get; init; }
}

/// <summary>A name for the version of a model that callers are to use, such as <c>champion</c>. Table <c>model_aliases</c>.</summary>
public sealed class ModelAlias
{
    /// <summary>The model.</summary>
    public required string ModelName { get; init; }

    /// <summary>The alias; as a model's name, and no number.</summary>
    public required string Alias { get; init; }

    /// <summary>The version that it points to.</summary>
    public required int Version { get; set; }

    /// <summary>When it was moved last (UTC).</summary>
    public required DateTime ChangedAt { get; set; }

    /// <summary>Who moved it.</summary>
    public required string ChangedBy { get; set; }
}

/// <summary>One move of an alias. Rows are only ever added. Table <c>alias_changes</c>.</summary>
public sealed class AliasChange
{
    /// <summary>Identity, in the order of time (version 7).</summary>
    public required Guid Id { get; init; }

    /// <summary>The model.</summary>
    public required string ModelName { get; init; }

    /// <summary>The alias.</summary>
    public required string Alias { get; init; }

    /// <summary>The version that it pointed to before; null where it was new.</summary>
    public required int? FromVersion { get; init; }

    /// <summary>The version that it points to since; null where it was removed.</summary>
    public required int? ToVersion { get; init; }

    /// <summary>Whether it went back to where it was before.</summary>
    public required bool IsRollback { get; init; }

    /// <summary>Why: the rule that was met, with its figures, or what the caller said.</summary>
    public string? Reason { get; init; }

    /// <summary>When (UTC).</summary>
    public required DateTime At { get; init; }

    /// <summary>Who moved it.</summary>
    public required string By { get; init; }
}
