using System.Globalization;

namespace Distributed.Networks;

/// <summary>How pixel values are normalised: value / 255, minus the channel's mean, over its standard deviation.</summary>
public sealed record Preprocessing
{
    /// <summary>Creates a normalisation.</summary>
    /// <param name="mean">Red, green, blue; pixel values counted in [0, 1].</param>
    /// <param name="std">Red, green, blue; positive.</param>
    /// <param name="isBgr">Whether the network takes blue before green and red.</param>
    /// <exception cref="ArgumentException">There are not three numbers each, or a deviation is not positive.</exception>
    public Preprocessing(float[] mean, float[] std, bool isBgr = false)
    {
        if (
            mean is not { Length: 3 }
            || std is not { Length: 3 }
            || !mean.All(float.IsFinite)
            || !std.All(value => value > 0 && float.IsFinite(value))
        )
        {
            throw new ArgumentException("A normalisation is three means and three positive standard deviations.");
        }

        Mean = mean;
        Std = std;
        IsBgr = isBgr;
    }

    /// <summary>That of ImageNet, as torchvision's weights expect it.</summary>
    public static Preprocessing Imagenet { get; } = new([0.485f, 0.456f, 0.406f], [0.229f, 0.224f, 0.225f]);

    /// <summary>Means of red, green and blue.</summary>
    public float[] Mean { get; }

    /// <summary>Standard deviations of red, green and blue.</summary>
    public float[] Std { get; }

    /// <summary>Whether the network takes blue before green and red; means and deviations are those of red, green and blue in any case.</summary>
    public bool IsBgr { get; init; }

    /// <summary>A stable text, fit for keys: <c>mean=0.485,0.456,0.406;std=0.229,0.224,0.225</c>, and <c>;order=bgr</c> where blue comes first.</summary>
    public string Description => $"mean={Join(Mean)};std={Join(Std)}{(IsBgr ? ";order=bgr" : "")}";

    /// <inheritdoc/>
    public bool Equals(Preprocessing? other) => other is not null && Description == other.Description;

    /// <inheritdoc/>
    public override int GetHashCode() => Description.GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Description;

    private static string Join(float[] values) =>
        string.Join(',', values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));
}
