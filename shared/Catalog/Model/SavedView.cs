namespace Distributed.Catalog;

/// <summary>A way to look at the list of runs, kept under a name for all who use the catalog. Table <c>saved_views</c>.</summary>
public sealed class SavedView
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The query of the list: filters and order, as they stand in its address.</summary>
    public required string Query { get; set; }

    /// <summary>The fields to show, in their order; empty for the usual ones.</summary>
    public required IReadOnlyList<string> Columns { get; set; }

    /// <summary>How often it was changed: who changes it says which version is meant.</summary>
    public int Revision { get; set; }

    /// <summary>When it was saved last (UTC).</summary>
    public required DateTime ChangedAt { get; set; }

    /// <summary>Who saved it last.</summary>
    public required string ChangedBy { get; set; }
}
