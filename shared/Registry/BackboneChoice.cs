using System.Numerics;
using Distributed.Catalog;

namespace Distributed.Registry;

/// <summary>A base in a comparison, with what its cross-validation says.</summary>
/// <param name="Base">What was measured.</param>
/// <param name="PValue">Of McNemar's test against the most accurate base; null where it was left out.</param>
/// <param name="IsChosen">Whether it is the one to take.</param>
public sealed record RankedBase(ComparedBase Base, double? PValue, bool IsChosen);

/// <summary>
/// Chooses among bases that were compared: of those that chance may explain the difference of from the most accurate one, the fastest.
/// </summary>
public static class BackboneChoice
{
    /// <summary>Below this p-value a base counts as less accurate than the best.</summary>
    public const double Significance = 0.05;

    /// <summary>Ranks bases: the most accurate first, those that were left out last.</summary>
    /// <param name="bases">All that were compared, on the same images.</param>
    public static IReadOnlyList<RankedBase> Rank(IReadOnlyList<ComparedBase> bases)
    {
        ArgumentNullException.ThrowIfNull(bases);
        var measured = bases
            .Where(one => one.CorrectBits is not null)
            .OrderByDescending(one => one.Accuracy)
            .ThenByDescending(one => one.ImagesPerSecond)
            .ThenBy(one => one.Position)
            .ToList();
        var best = measured.FirstOrDefault();
        var ranked = measured.ConvertAll(one => new RankedBase(one, Test(one, best!).PValue, IsChosen: false));
        var chosen = ranked.Where(one => one.PValue >= Significance || one.Base == best).MaxBy(one => one.Base.ImagesPerSecond);
        return
        [
            .. ranked.Select(one => one with { IsChosen = one == chosen }),
            .. bases.Where(one => one.CorrectBits is null).Select(one => new RankedBase(one, PValue: null, IsChosen: false)),
        ];
    }

    /// <summary>Writes a bit for each image.</summary>
    /// <param name="right">Whether it was right.</param>
    public static byte[] Pack(IReadOnlyList<bool> right)
    {
        ArgumentNullException.ThrowIfNull(right);
        var bits = new byte[(right.Count + 7) / 8];
        for (var i = 0; i < right.Count; i++)
        {
            bits[i / 8] |= (byte)(right[i] ? 1 << (i % 8) : 0);
        }

        return bits;
    }

    private static McNemarTest Test(ComparedBase one, ComparedBase best)
    {
        var (only, bestOnly) = (0, 0);
        for (var i = 0; i < one.CorrectBits!.Length; i++)
        {
            only += BitOperations.PopCount((uint)(one.CorrectBits[i] & ~best.CorrectBits![i]));
            bestOnly += BitOperations.PopCount((uint)(best.CorrectBits![i] & ~one.CorrectBits[i]));
        }

        return new McNemarTest(only, bestOnly);
    }
}
