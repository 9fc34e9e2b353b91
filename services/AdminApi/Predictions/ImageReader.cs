using System.Net.Http.Headers;
using System.Text.Json;
using Distributed.Datasets;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Predictions;

/// <summary>An image to be predicted.</summary>
/// <param name="Name">What its sender calls it; its number where it has no name.</param>
/// <param name="Content">The file.</param>
internal sealed record InputImage(string Name, byte[] Content);

/// <summary>The images of a request cannot be read; the message says why, and what to send.</summary>
internal sealed class UnreadableImagesException(string message, int status = StatusCodes.Status400BadRequest) : Exception(message)
{
    public int Status { get; } = status;
}

/// <summary>Reads the images of a request: as parts of a form, as the body itself, or by their URLs.</summary>
internal sealed class ImageReader(IHttpClientFactory clients, IOptions<PredictionOptions> options)
{
    /// <summary>Name of the client that fetches images.</summary>
    public const string ClientName = "images";

    /// <summary>Images of a request.</summary>
    public const int MostImages = 64;

    /// <summary>Bytes of a request, all images together.</summary>
    public const int MostBytes = 32 << 20;

    private const int LongestName = 200;

    /// <summary>Reads the images of a request, by its content type.</summary>
    /// <exception cref="UnreadableImagesException">There are none, too many, or too large ones.</exception>
    public async Task<IReadOnlyList<InputImage>> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var images =
            request.HasFormContentType && !IsUrlEncoded(request.ContentType) ? await ReadFormAsync(request, cancellationToken)
            : IsJson(request.ContentType) ? await FetchAsync(await ReadUrlsAsync(request, cancellationToken), cancellationToken)
            : [new InputImage("0", await ReadBodyAsync(request, cancellationToken))];
        return images switch
        {
            [] => throw new UnreadableImagesException(
                "There is no image in the request. Send an image file as the body, several as parts of a multipart form, or {\"urls\": [\"https://…\"]} as JSON."
            ),
            { Count: > MostImages } => throw new UnreadableImagesException(
                $"There are {images.Count} images in the request, and at most {MostImages} may be; send several requests, or use batch prediction."
            ),
            _ when images.FirstOrDefault(image => image.Content.Length == 0) is { } empty => throw new UnreadableImagesException(
                $"The image '{empty.Name}' is empty."
            ),
            _ => images,
        };
    }

    /// <summary>Fetches images.</summary>
    /// <exception cref="UnreadableImagesException">One cannot be fetched, or URLs are not allowed.</exception>
    public async Task<IReadOnlyList<InputImage>> FetchAsync(IReadOnlyList<string> urls, CancellationToken cancellationToken)
    {
        if (!options.Value.FromUrls)
        {
            throw new UnreadableImagesException("This service takes no URLs (setting Predictions__FromUrls); send the image itself.");
        }

        var images = new List<InputImage>(urls.Count);
        var left = MostBytes;
        foreach (var url in urls.Take(MostImages + 1))
        {
            var content = await FetchAsync(url, left, cancellationToken);
            left -= content.Length;
            images.Add(new InputImage(Shorten(url), content));
        }

        return images;
    }

    private static bool IsJson(string? contentType) => Is(contentType, "application/json");

    /// <summary>What curl calls any body where it is told nothing else.</summary>
    private static bool IsUrlEncoded(string? contentType) => Is(contentType, "application/x-www-form-urlencoded");

    private static bool Is(string? contentType, string expected) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type)
        && string.Equals(type.MediaType, expected, StringComparison.OrdinalIgnoreCase);

    private static string Shorten(string name) => name.Length <= LongestName ? name : name[..LongestName] + "…";

    /// <summary>Reads the parts of a form. Some clients send files as fields without a file name, so every part is one.</summary>
    private static async Task<IReadOnlyList<InputImage>> ReadFormAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (
            !MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || type.Parameters.FirstOrDefault(one => one.Name.Equals("boundary", StringComparison.OrdinalIgnoreCase))
                is not { Value: { Length: > 0 } boundary }
        )
        {
            throw new UnreadableImagesException("The form has no boundary; send it as multipart/form-data, as every HTTP library does.");
        }

        var images = new List<InputImage>();
        try
        {
            var parts = new MultipartReader(boundary.Trim('"'), request.Body);
            while (images.Count <= MostImages && await parts.ReadNextSectionAsync(cancellationToken) is { } part)
            {
                using var content = new MemoryStream();
                await part.Body.CopyToAsync(content, cancellationToken);
                images.Add(new InputImage(Shorten(NameOf(part) ?? $"{images.Count}"), content.ToArray()));
            }
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException and not BadHttpRequestException)
        {
            throw new UnreadableImagesException($"The form cannot be read: {exception.Message}");
        }

        return images;
    }

    private static string? NameOf(MultipartSection part) =>
        ContentDispositionHeaderValue.TryParse(part.ContentDisposition, out var disposition)
            ? (disposition.FileNameStar ?? disposition.FileName ?? disposition.Name)?.Trim('"')
            : null;

    private static async Task<byte[]> ReadBodyAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream((int)Math.Min(request.ContentLength ?? 0, MostBytes));
        await request.Body.CopyToAsync(content, cancellationToken);
        return content.ToArray();
    }

    private static async Task<IReadOnlyList<string>> ReadUrlsAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        try
        {
            using var json = await JsonDocument.ParseAsync(request.Body, cancellationToken: cancellationToken);
            return
                json.RootElement.GetProperty("urls").EnumerateArray().Select(url => url.GetString()!).ToList() is { } urls
                && urls.TrueForAll(url => url is not null)
                ? urls
                : throw new UnreadableImagesException("\"urls\" holds something else than texts.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new UnreadableImagesException("A JSON body must be {\"urls\": [\"https://…\"]}.");
        }
    }

    private async Task<byte[]> FetchAsync(string url, int most, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            throw new UnreadableImagesException($"'{Shorten(url)}' is no http or https URL.");
        }

        using var client = clients.CreateClient(ClientName);
        try
        {
            using var response = await client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                throw new UnreadableImagesException($"'{Shorten(url)}' was answered with {(int)response.StatusCode}.");
            }

            using var content = new MemoryStream();
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            var buffer = new byte[81_920];
            int read;
            while ((read = await body.ReadAsync(buffer, cancellationToken)) > 0)
            {
                if (content.Length + read > most)
                {
                    throw new UnreadableImagesException(
                        $"'{Shorten(url)}' is too large: the images of a request may have {MostBytes >> 20} MiB together.",
                        StatusCodes.Status413PayloadTooLarge
                    );
                }

                content.Write(buffer, 0, read);
            }

            return content.ToArray();
        }
        catch (DatasetException exception)
        {
            // The address is none that this host may ask.
            throw new UnreadableImagesException(exception.Message);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or TaskCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new UnreadableImagesException($"'{Shorten(url)}' cannot be fetched: {exception.GetBaseException().Message}");
        }
    }
}
