using Distributed.Catalog;
using Distributed.Registry;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Some of the models.</summary>
/// <param name="Items">The models by name.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
public sealed record ModelPage(IReadOnlyList<ModelSummary> Items, string? Next);

/// <summary>A model in a list.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it is for.</param>
/// <param name="Versions">How many versions it has.</param>
/// <param name="Aliases">The version that each alias points to.</param>
/// <param name="CreatedAt">When it was created (UTC).</param>
public sealed record ModelSummary(
    string Name,
    string? Description,
    int Versions,
    IReadOnlyDictionary<string, int> Aliases,
    DateTime CreatedAt
);

/// <summary>A model.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it is for.</param>
/// <param name="Revision">How often the description was changed: the ETag.</param>
/// <param name="CreatedAt">When it was created (UTC).</param>
/// <param name="CustomVisionProject">The project id by which callers of Azure Custom Vision's Prediction API ask for it.</param>
/// <param name="Aliases">Its aliases.</param>
/// <param name="Versions">Its versions, the latest first.</param>
/// <param name="Moves">How its aliases were moved, the latest first.</param>
public sealed record ModelDetail(
    string Name,
    string? Description,
    int Revision,
    DateTime CreatedAt,
    Guid CustomVisionProject,
    IReadOnlyList<AliasDetail> Aliases,
    IReadOnlyList<ModelVersionSummary> Versions,
    IReadOnlyList<AliasMove> Moves
);

/// <summary>An alias.</summary>
/// <param name="Alias">The alias.</param>
/// <param name="Version">The version that it points to.</param>
/// <param name="ChangedAt">When it was moved last (UTC).</param>
/// <param name="ChangedBy">Who moved it.</param>
public sealed record AliasDetail(string Alias, int Version, DateTime ChangedAt, string ChangedBy)
{
    internal static AliasDetail Of(ModelAlias alias) => new(alias.Alias, alias.Version, alias.ChangedAt, alias.ChangedBy);
}

/// <summary>One move of an alias.</summary>
/// <param name="Alias">The alias.</param>
/// <param name="From">The version that it pointed to before; null where it was new.</param>
/// <param name="To">The version that it points to since; null where it was removed.</param>
/// <param name="IsRollback">Whether it went back to where it was before.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When (UTC).</param>
/// <param name="By">Who moved it.</param>
public sealed record AliasMove(string Alias, int? From, int? To, bool IsRollback, string? Reason, DateTime At, string By);

/// <summary>A version of a model in short.</summary>
/// <param name="Number">Counted from 1.</param>
/// <param name="RunId">Its run.</param>
/// <param name="Note">What people should know of it.</param>
/// <param name="Metrics">How it did on the test images.</param>
/// <param name="Backbone">Its base, one line for people.</param>
/// <param name="Dataset">Its data set.</param>
/// <param name="Classes">How many classes it knows.</param>
/// <param name="CreatedAt">When it was registered (UTC).</param>
/// <param name="CreatedBy">Who registered it.</param>
public sealed record ModelVersionSummary(
    int Number,
    Guid RunId,
    string? Note,
    ModelMetrics Metrics,
    string Backbone,
    string Dataset,
    int Classes,
    DateTime CreatedAt,
    string CreatedBy
)
{
    internal static ModelVersionSummary Of(ModelVersion version)
    {
        var lineage = ModelLineage.Read(version.Lineage);
        return new ModelVersionSummary(
            version.Number,
            version.RunId,
            version.Note,
            lineage.Metrics,
            lineage.Backbone.Origin,
            lineage.Dataset.Name,
            lineage.Dataset.Classes.Count,
            version.CreatedAt,
            version.CreatedBy
        );
    }
}

/// <summary>A version of a model in full.</summary>
/// <param name="Model">The model.</param>
/// <param name="Number">Counted from 1.</param>
/// <param name="RunId">Its run.</param>
/// <param name="Note">What people should know of it.</param>
/// <param name="Lineage">Where it comes from: everything that it takes to repeat it.</param>
/// <param name="CreatedAt">When it was registered (UTC).</param>
/// <param name="CreatedBy">Who registered it.</param>
public sealed record ModelVersionDetail(
    string Model,
    int Number,
    Guid RunId,
    string? Note,
    ModelLineage Lineage,
    DateTime CreatedAt,
    string CreatedBy
)
{
    internal static ModelVersionDetail Of(ModelVersion version) =>
        new(
            version.ModelName,
            version.Number,
            version.RunId,
            version.Note,
            ModelLineage.Read(version.Lineage),
            version.CreatedAt,
            version.CreatedBy
        );
}

/// <summary>A version beside another one, on the same test images.</summary>
/// <param name="Images">Test images.</param>
/// <param name="Right">Those that the version has right.</param>
/// <param name="OtherRight">Those that the other has right.</param>
/// <param name="RightAlone">Those that the version has right and the other wrong.</param>
/// <param name="OtherRightAlone">Those that the other has right and the version wrong.</param>
/// <param name="PValue">McNemar's exact test, two-sided: how often versions that do equally well differ at least as much.</param>
public sealed record VersionComparison(int Images, int Right, int OtherRight, int RightAlone, int OtherRightAlone, double PValue);

/// <summary>What a model is for.</summary>
/// <param name="Description">In words; null to say nothing.</param>
public sealed record DescribeModel(string? Description);

/// <summary>A run to become a version.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Note">What people should know of it.</param>
public sealed record RegisterVersion(Guid RunId, string? Note = null);

/// <summary>Where an alias is to point.</summary>
/// <param name="Version">The version.</param>
/// <param name="Confidence">How sure it must be that the version is better than the present one; null to move the alias in any case.</param>
/// <param name="Reason">Why.</param>
public sealed record PromoteVersion(int Version, double? Confidence = null, string? Reason = null);
