namespace Distributed.Datasets.Sources;

/// <summary>The classes of the sample data set, in label order.</summary>
internal enum SampleShape
{
    Disc,
    Square,
    Triangle,
    Star,
    Ring,
    Cross,
    Stripes,
    Checkerboard,
    Spots,
    Waves,
}

/// <summary>Which points belong to a shape, in coordinates where the shape reaches about 1 from its middle.</summary>
internal static class SampleShapes
{
    // Cosine and sine of 72° and 144°: the corners of a pentagon. Of 120°: those of a triangle.
    private const double Cos72 = 0.30901699437494745;
    private const double Sin72 = 0.95105651629515353;
    private const double Cos144 = -0.80901699437494745;
    private const double Sin144 = 0.58778525229247314;
    private const double Sin120 = 0.86602540378443860;

    /// <summary>No shape reaches farther than this from its middle.</summary>
    public const double Reach = 1.45;

    public static bool IsTexture(SampleShape shape) => shape >= SampleShape.Stripes;

    /// <summary>Whether a point belongs to the shape.</summary>
    /// <param name="shape">The shape.</param>
    /// <param name="x">Distance to the right of the middle.</param>
    /// <param name="y">Distance below the middle.</param>
    /// <param name="frequency">Periods of a texture in a length of 1; without meaning for the others.</param>
    public static bool Contains(SampleShape shape, double x, double y, double frequency) =>
        shape switch
        {
            SampleShape.Disc => (x * x) + (y * y) < 0.81,
            SampleShape.Square => Math.Max(Math.Abs(x), Math.Abs(y)) < 0.8,
            SampleShape.Triangle => y < 0.55 && (Sin120 * x) - (0.5 * y) < 0.55 && (-Sin120 * x) - (0.5 * y) < 0.55,
            SampleShape.Star => InStar(x, y),
            SampleShape.Ring => (x * x) + (y * y) is > 0.3 and < 0.9,
            SampleShape.Cross => Math.Min(Math.Abs(x), Math.Abs(y)) < 0.28 && Math.Max(Math.Abs(x), Math.Abs(y)) < 1.0,
            SampleShape.Stripes => InPatch(x, y) && Fraction(y * frequency) < 0.5,
            SampleShape.Checkerboard => InPatch(x, y) && (Fraction(x * frequency) < 0.5) ^ (Fraction(y * frequency) < 0.5),
            SampleShape.Spots => InPatch(x, y) && InSpot(x * frequency, y * frequency),
            SampleShape.Waves => InPatch(x, y) && Fraction((y * frequency) + (0.45 * Wave(x * frequency * 0.75))) < 0.5,
            _ => throw new ArgumentOutOfRangeException(nameof(shape), shape, "Unknown shape."),
        };

    private static bool InPatch(double x, double y) => (x * x * x * x) + (y * y * y * y) < 2.0;

    // A five-pointed star is where at least four of the five lines of its pentagram have the middle on the same side.
    private static bool InStar(double x, double y)
    {
        const double Distance = 0.34;
        var inside = -y < Distance ? 1 : 0;
        inside += (Sin72 * x) - (Cos72 * y) < Distance ? 1 : 0;
        inside += (-Sin72 * x) - (Cos72 * y) < Distance ? 1 : 0;
        inside += (Sin144 * x) - (Cos144 * y) < Distance ? 1 : 0;
        inside += (-Sin144 * x) - (Cos144 * y) < Distance ? 1 : 0;
        return inside >= 4;
    }

    // Discs whose rows are shifted by half a period.
    private static bool InSpot(double x, double y)
    {
        var row = Math.Floor(y);
        var dx = Fraction(x + (row % 2 == 0 ? 0.0 : 0.5)) - 0.5;
        var dy = y - row - 0.5;
        return (dx * dx) + (dy * dy) < 0.12;
    }

    private static double Fraction(double value) => value - Math.Floor(value);

    // Two parabolas in place of a sine, whose last bits differ between platforms.
    private static double Wave(double value)
    {
        var t = Fraction(value);
        return t < 0.5 ? 16 * t * (0.5 - t) : -16 * (t - 0.5) * (1 - t);
    }
}
