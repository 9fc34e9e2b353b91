namespace Distributed.Contracts;

/// <summary>What becomes of an image file before a network sees it.</summary>
/// <param name="Size">Side of the square, in pixels.</param>
/// <param name="Fit">How it becomes square.</param>
/// <param name="Decoding">How a JPEG is decoded that is much larger than that.</param>
public sealed record ImagePreparation(int Size, FitMode Fit, JpegDecoding Decoding)
{
    /// <summary>Share of the shorter side that stays when the middle is cut out, by <see cref="FitMode.Crop"/>; above 0, up to 1.</summary>
    public double CropShare { get; init; } = 1;

    /// <summary>The kernel of the resampling.</summary>
    public ResampleFilter Resampling { get; init; } = ResampleFilter.Bicubic;

    /// <summary>A stable text, fit for keys, such as <c>size=224;fit=crop;decoding=scaled;filter=bicubic</c>, and <c>;share=0.875</c> where a crop leaves borders out.</summary>
    public string Description =>
        FormattableString.Invariant(
            $"size={Size};fit={ChoiceName.Of(Fit)};decoding={ChoiceName.Of(Decoding)};filter={ChoiceName.Of(Resampling)}"
        ) + (CropShare == 1 ? "" : FormattableString.Invariant($";share={CropShare}"));
}
