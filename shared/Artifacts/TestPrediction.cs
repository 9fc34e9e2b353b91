using System.Text.Json.Serialization;

namespace Distributed.Artifacts;

/// <summary>What an evaluated head made of one test image.</summary>
/// <param name="Image">Row of the image in the data set's manifest.</param>
/// <param name="Label">Its class.</param>
/// <param name="Predicted">The class that was named.</param>
/// <param name="Probability">Probability of the class that was named; 0 to 1.</param>
/// <param name="Own">Probability of its own class.</param>
public sealed record TestPrediction(int Image, int Label, int Predicted, float Probability, float Own)
{
    /// <summary>Whether its own class was named.</summary>
    [JsonIgnore]
    public bool IsRight => Predicted == Label;
}
