using System.Security.Claims;
using System.Text.Encodings.Web;
using Distributed.AdminApi.Browser;
using Distributed.Catalog;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Access;

/// <summary>Knows who asks by the key of the request, and says what to do where there is none that opens.</summary>
internal sealed class ApiKeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory loggers,
    UrlEncoder encoder,
    ApiKeyStore keys,
    IOptions<ApiOptions> api,
    BrowserSessions sessions,
    IProblemDetailsService problems
) : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public const string SchemeName = "ApiKey";
    public const string HeaderName = "X-Api-Key";

    /// <summary>As clients of Azure Custom Vision send it.</summary>
    private const string PredictionHeader = "Prediction-Key";

    private const string Bearer = "Bearer";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        // A client that sends the header whether it has a key or not sends an empty one.
        if (Presented() is not { Length: > 0 } text)
        {
            return await FindSessionAsync()
                ?? (
                    api.Value.Keys == KeyPolicy.Loopback && LocalRequest.Is(Context)
                        ? Succeed(AuditActor.Loopback, ApiRole.Operator)
                        : AuthenticateResult.NoResult()
                );
        }

        // One message for all three, so that nobody learns which part was right.
        return ApiKeyText.TryParse(text, out var presented) && await keys.FindAsync(presented, Context.RequestAborted) is { } key
            ? Succeed(new AuditActor(AuditActorKind.Key, key.Name), key.Role)
            : AuthenticateResult.Fail("The key is unknown, misspelt or revoked.");
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (IsOfBrowser() && HttpMethods.IsGet(Request.Method))
        {
            Response.Redirect($"{SignInEndpoints.SignInPath}?returnUrl={Uri.EscapeDataString(Request.Path + Request.QueryString)}");
            return;
        }

        Response.Headers.WWWAuthenticate = "Bearer realm=\"distributed\"";
        await WriteAsync(
            StatusCodes.Status401Unauthorized,
            (await HandleAuthenticateOnceSafeAsync()).Failure is { } failure
                ? (
                    "The key opens nothing.",
                    $"{failure.Message} Ask the operator of this service for another; AdminApi's command 'keys list' shows what there is."
                )
                : (
                    "A key is needed.",
                    "Send it as 'Authorization: Bearer KEY', or in the header X-Api-Key or Prediction-Key. The operator of this service creates one with AdminApi's command 'keys create NAME --role reader|predictor|operator'."
                )
        );
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        WriteAsync(
            StatusCodes.Status403Forbidden,
            IsOfBrowser()
                ? ("A page takes a session.", $"Sign in with the key at {SignInEndpoints.SignInPath}; programs ask the API, below /api/v1.")
                : (
                    "The key does not open this.",
                    $"The key '{Context.User.Identity?.Name}' is a {Context.User.FindFirstValue(ClaimTypes.Role)?.ToLowerInvariant()}'s, and this takes {Needed()}: AdminApi's command 'keys create NAME --role ROLE' makes one."
                )
        );

    /// <summary>Whose key opens what was asked for.</summary>
    private string Needed() =>
        Context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>()?.Policy == ApiAccess.PredictorPolicy
            ? "a predictor's or an operator's"
        : HttpMethods.IsGet(Request.Method) && Context.User.IsInRole(nameof(ApiRole.Predictor)) ? "a reader's or an operator's"
        : "an operator's";

    private static AuthenticateResult Succeed(AuditActor actor, ApiRole role, string? session = null) =>
        AuthenticateResult.Success(new AuthenticationTicket(ApiAccess.Principal(actor, role, session), SchemeName));

    private bool IsOfBrowser() => Context.GetEndpoint()?.Metadata.GetMetadata<BrowserEndpoint>() is not null;

    /// <summary>
    /// Who has signed in at the dashboard. Browsers send cookies with whatever a page makes them ask for, so elsewhere than on the dashboard, whose forms
    /// are guarded, a cookie is good for looking alone.
    /// </summary>
    private async Task<AuthenticateResult?> FindSessionAsync() =>
        (HttpMethods.IsGet(Request.Method) || HttpMethods.IsHead(Request.Method) || IsOfBrowser())
        && Request.Cookies[BrowserSessions.CookieName] is { Length: > 0 } token
        && sessions.Find(token) is { } text
        && await keys.FindAsync(text, Context.RequestAborted) is { } key
            ? Succeed(new AuditActor(AuditActorKind.Key, key.Name), key.Role, token)
            : null;

    private string? Presented() =>
        Request.Headers.Authorization is [{ } authorization]
            ? authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
                ? authorization[Bearer.Length..].Trim()
                : authorization
            : Request.Headers.TryGetValue(HeaderName, out var header) || Request.Headers.TryGetValue(PredictionHeader, out header)
                ? header.ToString()
                : null;

    private async Task WriteAsync(int status, (string Title, string Detail) problem)
    {
        Response.StatusCode = status;
        if (Context.GetEndpoint()?.Metadata.GetMetadata<RefusalBody>() is { } body)
        {
            await Response.WriteAsJsonAsync(body.Create(status, problem.Detail), body.Json);
            return;
        }

        await problems.WriteAsync(
            new ProblemDetailsContext
            {
                HttpContext = Context,
                ProblemDetails = new ProblemDetails
                {
                    Status = status,
                    Title = problem.Title,
                    Detail = problem.Detail,
                },
            }
        );
    }
}
