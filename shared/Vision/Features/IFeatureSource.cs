namespace Distributed.Vision.Features;

/// <summary>Where the features of an image are to go.</summary>
/// <param name="index">Which of the images that were asked for it is, zero-based.</param>
/// <returns>Memory for at least <see cref="IFeatureSource.Size"/> numbers.</returns>
public delegate Span<float> FeatureTarget(int index);

/// <summary>Features of images, wherever they are kept: in memory or in files.</summary>
public interface IFeatureSource
{
    /// <summary>Images.</summary>
    int Count { get; }

    /// <summary>Feature dimension.</summary>
    int Size { get; }

    /// <summary>Reads the features of some images, each once, in any order.</summary>
    /// <param name="rows">Zero-based.</param>
    /// <param name="target">Is asked for each image where its features are to go.</param>
    /// <exception cref="ArgumentOutOfRangeException">A row is not below <see cref="Count"/>.</exception>
    void Read(ReadOnlySpan<int> rows, FeatureTarget target);
}

/// <summary>Usual ways to read features.</summary>
public static class FeatureSources
{
    /// <summary>Reads the features of consecutive images.</summary>
    /// <param name="features">Features of all images.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="values">Receives them row by row; at least count × size numbers.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not as many images.</exception>
    public static void Read(this IFeatureSource features, int first, int count, float[] values)
    {
        ArgumentNullException.ThrowIfNull(features);
        var size = features.Size;
        int[] rows = [.. Enumerable.Range(first, count)];
        features.Read(rows, index => values.AsSpan(index * size, size));
    }

    /// <summary>Some of the images, in the order asked for, in memory.</summary>
    /// <param name="features">Features of all images.</param>
    /// <param name="rows">Zero-based.</param>
    /// <exception cref="ArgumentOutOfRangeException">A row is not one of the images.</exception>
    /// <exception cref="OverflowException">They do not fit in one array.</exception>
    public static FeatureMatrix Select(this IFeatureSource features, ReadOnlySpan<int> rows)
    {
        ArgumentNullException.ThrowIfNull(features);
        var size = features.Size;
        var values = new float[checked(rows.Length * size)];
        features.Read(rows, index => values.AsSpan(index * size, size));
        return new FeatureMatrix(values, rows.Length, size);
    }
}
