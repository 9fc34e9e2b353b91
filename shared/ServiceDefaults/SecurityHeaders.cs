using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Distributed.ServiceDefaults;

/// <summary>Headers that keep browsers from doing more with an answer than to show it.</summary>
public static class SecurityHeaders
{
    /// <summary>What a browser may do with an answer that says nothing else: nothing.</summary>
    private const string Nothing = "default-src 'none'; frame-ancestors 'none'";

    /// <summary>States what a browser may do with an endpoint's answers.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="policy">A Content-Security-Policy.</param>
    public static TBuilder WithContentSecurity<TBuilder>(this TBuilder endpoint, string policy)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new ContentSecurity(policy));

    /// <summary>Adds the headers to every answer, errors included.</summary>
    internal static void UseSecurityHeaders(this WebApplication app) =>
        app.Use(
            (context, next) =>
            {
                // At the last moment, since whatever turns an exception into an answer clears the headers first.
                context.Response.OnStarting(
                    state =>
                    {
                        Add((HttpContext)state);
                        return Task.CompletedTask;
                    },
                    context
                );
                return next(context);
            }
        );

    private static void Add(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers.ContentSecurityPolicy = headers.ContentSecurityPolicy is [{ } own]
            ? own
            : context.GetEndpoint()?.Metadata.GetMetadata<ContentSecurity>()?.Policy ?? Nothing;
        if (!headers.ContainsKey(HeaderNames.CacheControl))
        {
            // Results of runs stay out of caches that others share.
            headers.CacheControl = "no-store";
        }

        if (context.Request.IsHttps)
        {
            headers.StrictTransportSecurity = "max-age=31536000";
        }
    }

    private sealed record ContentSecurity(string Policy);
}
