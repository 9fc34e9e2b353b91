using Distributed.Catalog;

namespace Distributed.AdminApi.Listing;

/// <summary>A run with its test result, as filters and orders see it. Where no metric is asked for, the result is not joined.</summary>
internal sealed class RunRow
{
    /// <summary>Its identity, by which runs that are equal in an order are ordered.</summary>
    public required Guid Id { get; init; }

    /// <summary>The run.</summary>
    public required Run Run { get; init; }

    /// <summary>Its data set; null before it is known.</summary>
    public required string? DatasetSha256 { get; init; }

    /// <summary>Its test result; null where there is none yet.</summary>
    public Evaluation? Evaluation { get; init; }
}

/// <summary>Where a run stands in an order.</summary>
internal sealed class RunKey<T>
{
    /// <summary>The run.</summary>
    public required Guid Id { get; init; }

    /// <summary>What it is ordered by.</summary>
    public required T Value { get; init; }
}
