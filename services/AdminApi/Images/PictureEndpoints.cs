using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Distributed.AdminApi.Endpoints;
using Distributed.Contracts;
using Distributed.Imaging;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Net.Http.Headers;

namespace Distributed.AdminApi.Images;

/// <summary>How a picture is sent.</summary>
public enum PictureFormat
{
    /// <summary>Small, and a little less than what a network sees.</summary>
    Jpeg,

    /// <summary>Every pixel as a network sees it.</summary>
    Png,
}

/// <summary>Pictures of images, as they are packed: the square that a network sees.</summary>
internal static class PictureEndpoints
{
    private const int LeastSide = 16;
    private const int MostSide = 1024;
    private const int Quality = 85;

    public static void MapPicture(this RouteGroupBuilder datasets) =>
        datasets
            .MapRead("images/{imageSha256}", ReadAsync)
            .WithSummary("An image of a data set, as a network sees it")
            .WithDescription(
                "By the SHA-256 of its source bytes. It is sent as it is packed, or smaller: size is the longest side in pixels. What an address names never changes, so it may be kept for ever."
            )
            .Produces<byte[]>(contentType: "image/jpeg", additionalContentTypes: "image/png")
            .Produces(StatusCodes.Status304NotModified)
            .ProducesProblem(404)
            .ProducesProblem(410);

    private static async Task<Results<FileContentHttpResult, StatusCodeHttpResult, ProblemHttpResult>> ReadAsync(
        string sha256,
        string imageSha256,
        ImageRequest request,
        ImageCatalog catalog,
        HttpContext http,
        CancellationToken cancellationToken,
        [FromQuery, Range(LeastSide, MostSide)] int size = MostSide,
        [FromQuery, EnumDataType(typeof(PictureFormat))] string format = "jpeg"
    )
    {
        var (images, _, problem) = await request.FindAsync(sha256, runId: null, cancellationToken);
        if (images is null)
        {
            return problem!;
        }

        if (images.RowOf(imageSha256) is not { } row)
        {
            return ImageRequest.NotFound(
                "There is no such image.",
                $"The data set {sha256} has no image with the SHA-256 {RunSpecificationRules.Shown(imageSha256)}."
            );
        }

        var kind = Enum.Parse<PictureFormat>(format, ignoreCase: true);
        var side = Math.Min(size, images.Ingestion.InputSize);
        // What the picture is made from and how: equal tags are equal bytes.
        var tag = new EntityTagHeaderValue(
            string.Create(CultureInfo.InvariantCulture, $"\"{imageSha256[..16]}-{images.Ingestion.Key[..8]}-{side}-{kind}\"")
        );
        http.Response.Headers.CacheControl = "private, max-age=31536000, immutable";
        http.Response.GetTypedHeaders().ETag = tag;
        if (http.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Compare(tag, useStrongComparison: false)))
        {
            return TypedResults.StatusCode(StatusCodes.Status304NotModified);
        }

        var (pixels, packed) = await catalog.ReadPixelsAsync(images, row, cancellationToken);
        var picture = new RgbImage(packed, packed, pixels);
        picture = side == packed ? picture : Resampler.Resize(picture, side, side, ResampleFilter.Bicubic);
        return kind == PictureFormat.Png
            ? TypedResults.File(PngEncoder.Encode(picture.Pixels, picture.Width, picture.Height), "image/png")
            : TypedResults.File(JpegEncoder.Encode(picture.Pixels, picture.Width, picture.Height, Quality), "image/jpeg");
    }
}
