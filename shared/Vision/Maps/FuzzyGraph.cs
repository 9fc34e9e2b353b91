namespace Distributed.Vision.Maps;

/// <summary>Which images of a map belong together, and how strongly.</summary>
/// <param name="From">Images.</param>
/// <param name="To">The image that each is joined with.</param>
/// <param name="Weights">How strongly, above 0 and up to 1.</param>
/// <param name="Count">Images in all.</param>
internal sealed record FuzzyGraph(int[] From, int[] To, float[] Weights, int Count)
{
    private const int Halvings = 64;

    /// <summary>
    /// Joins images with their neighbours. Each has the same amount of neighbourhood, however crowded it is where it is; and of two images either joins both.
    /// </summary>
    public static FuzzyGraph Of(NearRows near)
    {
        var strengths = new float[near.Rows.Length];
        Parallel.For(0, near.Count, image => Weigh(near.DistancesOf(image), strengths.AsSpan(image * near.Each, near.Each)));
        var (from, to, weights) = (new List<int>(2 * near.Rows.Length), new List<int>(2 * near.Rows.Length), new List<float>(2 * near.Rows.Length));
        for (var image = 0; image < near.Count; image++)
        {
            var others = near.Of(image);
            for (var i = 0; i < others.Length; i++)
            {
                var back = near.Of(others[i]).IndexOf(image);
                if (back >= 0 && others[i] < image)
                {
                    // Joined from the other side.
                    continue;
                }

                var (one, other) = (strengths[(image * near.Each) + i], back < 0 ? 0 : strengths[(others[i] * near.Each) + back]);
                Add(image, others[i], one + other - (one * other));
            }
        }

        return new FuzzyGraph([.. from], [.. to], [.. weights], near.Count);

        void Add(int one, int other, float weight)
        {
            from.AddRange([one, other]);
            to.AddRange([other, one]);
            weights.AddRange([weight, weight]);
        }
    }

    /// <summary>Strengths that fall with the distance beyond the nearest, and sum to log2 of their number.</summary>
    private static void Weigh(ReadOnlySpan<float> distances, Span<float> strengths)
    {
        var nearest = 0f;
        foreach (var distance in distances)
        {
            if (distance > 0)
            {
                nearest = distance;
                break;
            }
        }

        var wanted = Math.Log2(distances.Length);
        var (low, high, scale) = (0.0, double.PositiveInfinity, 1.0);
        for (var i = 0; i < Halvings; i++)
        {
            var sum = 0.0;
            foreach (var distance in distances)
            {
                sum += Math.Exp(-Math.Max(0, distance - nearest) / scale);
            }

            if (Math.Abs(sum - wanted) < 1e-5)
            {
                break;
            }

            (low, high) = sum > wanted ? (low, scale) : (scale, high);
            scale = double.IsPositiveInfinity(high) ? scale * 2 : (low + high) / 2;
        }

        for (var i = 0; i < distances.Length; i++)
        {
            strengths[i] = (float)Math.Exp(-Math.Max(0, distances[i] - nearest) / Math.Max(scale, 1e-12));
        }
    }
}
