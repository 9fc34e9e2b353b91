using Distributed.AdminApi.Access;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Distributed.AdminApi.Browser;

/// <summary>Begins and ends the sessions of browsers; the forms are pages of the dashboard.</summary>
internal static class SignInEndpoints
{
    public const string SignInPath = "/sign-in";

    public static void MapSignIn(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/session").WithMetadata(new BrowserEndpoint()).AllowAnonymous().ExcludeFromDescription();
        group.MapPost("begin", BeginAsync);
        group.MapPost("end", EndAsync);
    }

    private static async Task<RedirectHttpResult> BeginAsync(
        [FromForm] string? key,
        [FromForm] string? returnUrl,
        HttpContext http,
        ApiKeyStore keys,
        BrowserSessions sessions,
        CancellationToken cancellationToken
    )
    {
        var target = IsOfThisSite(returnUrl) ? returnUrl! : "/";
        if (!ApiKeyText.TryParse((key ?? "").Trim(), out var text) || await keys.FindAsync(text, cancellationToken) is null)
        {
            return TypedResults.LocalRedirect($"{SignInPath}?refused=true&returnUrl={Uri.EscapeDataString(target)}");
        }

        http.Response.Cookies.Append(
            BrowserSessions.CookieName,
            sessions.Begin(text),
            new CookieOptions
            {
                HttpOnly = true,
                IsEssential = true,
                SameSite = SameSiteMode.Strict,
                Secure = http.Request.IsHttps,
            }
        );
        return TypedResults.LocalRedirect(target);
    }

    private static async Task<RedirectHttpResult> EndAsync(HttpContext http, IAntiforgery antiforgery, BrowserSessions sessions)
    {
        await antiforgery.ValidateRequestAsync(http);
        if (http.Request.Cookies[BrowserSessions.CookieName] is { Length: > 0 } token)
        {
            sessions.End(token);
        }

        http.Response.Cookies.Delete(BrowserSessions.CookieName);
        return TypedResults.LocalRedirect(SignInPath);
    }

    /// <summary>Whether an address is a path of this site: not of another one, which "//host" and "/\host" would be.</summary>
    private static bool IsOfThisSite(string? address) => address is ['/', not ('/' or '\\'), ..] or "/" && !address.Any(char.IsControl);
}
