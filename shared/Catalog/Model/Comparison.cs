using System.Text.Json;
using Distributed.Contracts;
using Distributed.Storage;

namespace Distributed.Catalog;

/// <summary>A base that a run may choose.</summary>
/// <param name="Backbone">Its name.</param>
/// <param name="InputSize">Side of the images that would go through it, pixels.</param>
public sealed record CandidateBase(string Backbone, int InputSize)
{
    /// <summary>As <see cref="Run.Candidates"/> has them.</summary>
    public static string Write(IReadOnlyList<CandidateBase> candidates) => JsonSerializer.Serialize(candidates, JsonSerializerOptions.Web);

    /// <summary>Reads what <see cref="Write"/> made.</summary>
    public static IReadOnlyList<CandidateBase> Read(string text) =>
        JsonSerializer.Deserialize<IReadOnlyList<CandidateBase>>(text, JsonSerializerOptions.Web)!;
}

/// <summary>How a base did in a run's comparison. Table <c>compared_bases</c>.</summary>
public sealed class ComparedBase
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>Its place among the candidates, from 0; the step of its job.</summary>
    public required int Position { get; init; }

    /// <summary>Its name.</summary>
    public required string Backbone { get; init; }

    /// <summary>Side of the images, pixels.</summary>
    public required int InputSize { get; init; }

    /// <summary>Numbers that an image is turned into; null where it was not computed.</summary>
    public int? FeatureSize { get; init; }

    /// <summary>Licence of the weights; null where it is not known.</summary>
    public string? Licence { get; init; }

    /// <summary>Images that went through it in a second; null where none did.</summary>
    public double? ImagesPerSecond { get; init; }

    /// <summary>The images of the sample that heads on its features had right in cross-validation: a bit for each, the lowest first. Null where it was left out.</summary>
    public byte[]? CorrectBits { get; init; }

    /// <summary>Share of the sample that was right; 0 to 1. Null where it was left out.</summary>
    public double? Accuracy { get; init; }

    /// <summary>Lower end of its 95 % Wilson interval.</summary>
    public double? AccuracyLow { get; init; }

    /// <summary>Upper end of its 95 % Wilson interval.</summary>
    public double? AccuracyHigh { get; init; }

    /// <summary>Why it was left out; null where it was not.</summary>
    public string? Reason { get; init; }

    /// <summary>Seconds that it took.</summary>
    public required double Seconds { get; init; }
}

/// <summary>What a run's comparison came to. Table <c>comparisons</c>.</summary>
public sealed class Comparison
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The base that was chosen.</summary>
    public required string Backbone { get; init; }

    /// <summary>Training images that were sampled.</summary>
    public required int Images { get; init; }

    /// <summary>A picture of accuracy by speed: SVG.</summary>
    public required StoredFile Picture { get; init; }

    /// <summary>When it was made (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}

/// <summary>Reads what runs have chosen.</summary>
public static class ChosenBackbones
{
    /// <summary>The specification of a run, with the base that its comparison chose, where it has.</summary>
    public static RunSpecification ReadSpecification(this Run run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var specification = ContractJson.Read(run.Specification);
        if (run.ChosenBackbone is not { } chosen)
        {
            return specification;
        }

        var candidate = CandidateBase.Read(run.Candidates!).First(one => one.Backbone == chosen);
        return specification with
        {
            Backbone = chosen,
            InputSize = candidate.InputSize,
            Candidates = [],
            CompareSeconds = new RunSpecification().CompareSeconds,
        };
    }
}
