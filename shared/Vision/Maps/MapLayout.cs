namespace Distributed.Vision.Maps;

/// <summary>Draws images together that belong together, and pushes others apart, by stochastic gradient descent on one thread, so that its order is always the same.</summary>
/// <param name="start">Two coordinates an image, where it begins; not changed.</param>
/// <param name="graph">Which belong together.</param>
internal sealed class MapLayout(float[] start, FuzzyGraph graph)
{
    /// <summary>Of the curve 1 / (1 + a d^2b) that is 1 up to the distance 0.1 and falls as exp(-d) beyond.</summary>
    private const float A = 1.577f,
        B = 0.895f;
    private const float Steepest = 4;

    /// <summary>Images that an image is pushed from each time that it is drawn to another.</summary>
    private const int Others = 5;
    private const int Many = 10_000;

    private readonly float[] _places = (float[])start.Clone();
    private ulong _random = 0x9E3779B97F4A7C15;

    /// <summary>Moves the images to their places.</summary>
    public float[] Settle(CancellationToken cancellationToken)
    {
        var rounds = graph.Count > Many ? 200 : 500;
        var strongest = graph.Weights.Max();
        // An edge is looked at in as many of the rounds as it is strong.
        var every = Array.ConvertAll(graph.Weights, weight => strongest / weight);
        var due = (float[])every.Clone();
        for (var round = 1; round <= rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var step = 1 - ((round - 1) / (float)rounds);
            for (var edge = 0; edge < due.Length; edge++)
            {
                if (due[edge] > round)
                {
                    continue;
                }

                due[edge] += every[edge];
                var image = graph.From[edge];
                Attract(image, graph.To[edge], step);
                for (var i = 0; i < Others; i++)
                {
                    Repel(image, (int)(Next() % (ulong)graph.Count), step);
                }
            }
        }

        return _places;
    }

    private void Attract(int image, int other, float step)
    {
        var (x, y, square) = Between(image, other);
        if (square <= 0)
        {
            return;
        }

        var power = MathF.Pow(square, B);
        var pull = -2 * A * B * (power / square) / ((A * power) + 1);
        var (moveX, moveY) = (Clip(pull * x) * step, Clip(pull * y) * step);
        _places[2 * image] += moveX;
        _places[(2 * image) + 1] += moveY;
        _places[2 * other] -= moveX;
        _places[(2 * other) + 1] -= moveY;
    }

    private void Repel(int image, int other, float step)
    {
        if (image == other)
        {
            return;
        }

        var (x, y, square) = Between(image, other);
        var push = 2 * B / ((0.001f + square) * ((A * MathF.Pow(square, B)) + 1));
        // Images on one place are parted in some direction, always the same.
        _places[2 * image] += (square > 0 ? Clip(push * x) : Steepest) * step;
        _places[(2 * image) + 1] += (square > 0 ? Clip(push * y) : Steepest) * step;
    }

    private (float X, float Y, float Square) Between(int image, int other)
    {
        var (x, y) = (_places[2 * image] - _places[2 * other], _places[(2 * image) + 1] - _places[(2 * other) + 1]);
        return (x, y, (x * x) + (y * y));
    }

    private static float Clip(float value) => Math.Clamp(value, -Steepest, Steepest);

    /// <summary>SplitMix64.</summary>
    private ulong Next()
    {
        _random += 0x9E3779B97F4A7C15;
        var z = _random;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
