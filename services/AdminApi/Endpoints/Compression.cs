using System.IO.Compression;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Net.Http.Headers;

namespace Distributed.AdminApi.Endpoints;

/// <summary>
/// Pages, scripts and JSON go out compressed. The length of a compressed answer tells who can see it, and can make a browser ask again and again, about
/// a secret that stands beside what the asker chose (BREACH). So an answer with a lasting secret in it goes out as it is; there is one, that of a new
/// webhook. In pages there is none: the tokens of forms are encrypted differently in each answer, keys and sessions are in no page, and other sites
/// cannot ask in a visitor's name, since the session's cookie is not sent for them.
/// </summary>
internal static class Compression
{
    /// <summary>Texts. Pictures and model files are compressed already, and events are to leave at once, each by itself.</summary>
    private static readonly string[] Types =
    [
        .. ResponseCompressionDefaults.MimeTypes,
        "application/problem+json",
        "application/openapi+json",
        "image/svg+xml",
        "text/csv",
    ];

    public static void AddCompression(this IServiceCollection services)
    {
        services.AddResponseCompression(options =>
        {
            options.EnableForHttps = true;
            options.MimeTypes = Types;
        });
        services.Configure<BrotliCompressionProviderOptions>(options => options.Level = CompressionLevel.Fastest);
        services.Configure<GzipCompressionProviderOptions>(options => options.Level = CompressionLevel.Fastest);
    }

    /// <summary>Keeps an answer as it is, since a secret stands in it: as if nobody had asked for a shorter one.</summary>
    public static void LeaveUncompressed(this HttpContext http) => http.Request.Headers.Remove(HeaderNames.AcceptEncoding);
}
