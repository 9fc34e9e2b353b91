using Distributed.Contracts;

namespace Distributed.Inference;

/// <summary>The classes of an image.</summary>
/// <param name="Classes">All of them, the most probable first; among equal ones in the model's order.</param>
public sealed record Classification(IReadOnlyList<ClassProbability> Classes)
{
    /// <summary>The most probable class.</summary>
    public string Class => Classes[0].Class;

    /// <summary>Its probability, 0 to 1.</summary>
    public double Probability => Classes[0].Probability;
}
