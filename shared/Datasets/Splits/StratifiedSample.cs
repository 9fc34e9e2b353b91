using System.Security.Cryptography;
using System.Text;

namespace Distributed.Datasets.Splits;

/// <summary>Some images of a data set, with its classes in the proportions that they have in it.</summary>
public static class StratifiedSample
{
    /// <summary>Draws images.</summary>
    /// <param name="manifest">The data set.</param>
    /// <param name="images">Indices of the images to draw from.</param>
    /// <param name="most">How many to draw; all are taken where there are no more. Each class keeps at least one.</param>
    /// <returns>Their indices, in rising order; the same for the same images on every machine.</returns>
    public static int[] Draw(DatasetManifest manifest, IReadOnlyList<int> images, int most)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(images);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        if (images.Count <= most)
        {
            return [.. images.Order()];
        }

        return
        [
            .. images
                .GroupBy(index => manifest.Images[index].Label)
                .SelectMany(sameClass =>
                    sameClass
                        .OrderBy(index => RankOf(manifest.Images[index].Sha256), StringComparer.Ordinal)
                        .ThenBy(index => index)
                        .Take(Math.Max(1, (int)((long)sameClass.Count() * most / images.Count)))
                )
                .Order(),
        ];
    }

    /// <summary>An order that has nothing to do with names or places.</summary>
    private static string RankOf(string sha256) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes("sample\n" + sha256)));
}
