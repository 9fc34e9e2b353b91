namespace Distributed.Registry;

/// <summary>
/// Whether two classifiers that were tested on the same images differ by more than chance: of the images that one has right and the other wrong, each
/// classifier should have half (McNemar 1947, the exact test by the binomial distribution).
/// </summary>
/// <param name="FirstOnly">Images that the first has right and the second wrong.</param>
/// <param name="SecondOnly">Images that the second has right and the first wrong.</param>
public sealed record McNemarTest(int FirstOnly, int SecondOnly)
{
    /// <summary>The two-sided p-value: how often classifiers that do equally well differ at least as much. 0 to 1.</summary>
    public double PValue { get; } = Compute(FirstOnly, SecondOnly);

    /// <summary>Whether the second is better at a confidence.</summary>
    /// <param name="confidence">Above 0 and below 1.</param>
    public bool IsSecondBetter(double confidence) => SecondOnly > FirstOnly && PValue <= 1 - confidence;

    private static double Compute(int first, int second)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(second);
        var (count, fewer) = (first + second, Math.Min(first, second));
        // In logarithms: half to the power of some thousand images is no number.
        var coefficient = -count * Math.Log(2);
        var tail = 0.0;
        for (var hits = 0; hits <= fewer; hits++)
        {
            tail += Math.Exp(coefficient);
            coefficient += Math.Log((double)(count - hits) / (hits + 1));
        }

        return Math.Min(1, 2 * tail);
    }
}
