using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using System.Threading.RateLimiting;
using Distributed.AdminApi.Browser;
using Distributed.Catalog;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Access;

/// <summary>Who may do what, and how often: whatever an endpoint does not say otherwise, looking takes a key, and changing an operator's.</summary>
internal static class ApiAccess
{
    /// <summary>The policy of endpoints that only operators may look at.</summary>
    public const string OperatorPolicy = "operator";

    /// <summary>The policy of predictions.</summary>
    public const string PredictorPolicy = "predictor";

    private const int BurstSeconds = 20;
    private const string KindClaim = "kind";

    /// <summary>The token of the session of somebody who has signed in at the dashboard.</summary>
    public const string SessionClaim = "session";

    public static void AddApiAccess(this IServiceCollection services)
    {
        services.AddOptions<ApiOptions>().BindConfiguration(ApiOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<ApiKeyStore>();
        services.AddSingleton<BrowserSessions>();
        // Not all of AddAuthentication: a key is a secret by itself, and what the dashboard protects is registered with it.
        services.AddAuthenticationCore(options => options.DefaultScheme = ApiKeyHandler.SchemeName);
        services.AddWebEncoders();
        new AuthenticationBuilder(services).AddScheme<AuthenticationSchemeOptions, ApiKeyHandler>(
            ApiKeyHandler.SchemeName,
            configureOptions: null
        );
        services
            .AddAuthorizationBuilder()
            .SetFallbackPolicy(
                new AuthorizationPolicyBuilder()
                    .RequireAuthenticatedUser()
                    .RequireAssertion(context =>
                        IsOperator(context.User)
                        // Who may ask for something learns that an address is none.
                        || (context.Resource is HttpContext elsewhere && elsewhere.GetEndpoint() is null)
                        || (
                            context.User.IsInRole(nameof(ApiRole.Reader))
                            && context.Resource is HttpContext http
                            && OnlyLooks(http.Request.Method)
                        )
                    )
                    .Build()
            )
            .AddPolicy(OperatorPolicy, policy => policy.RequireAuthenticatedUser().RequireAssertion(context => IsOperator(context.User)))
            .AddPolicy(
                PredictorPolicy,
                policy =>
                    policy
                        .RequireAuthenticatedUser()
                        .RequireAssertion(context => IsOperator(context.User) || context.User.IsInRole(nameof(ApiRole.Predictor)))
            );
        services.AddRateLimiter(_ => { });
        services.AddOptions<RateLimiterOptions>().Configure<IOptions<ApiOptions>>((limiter, options) => LimitRates(limiter, options.Value));
    }

    /// <summary>To be called after what turns errors into problems, and before what answers.</summary>
    public static void UseApiAccess(this WebApplication app)
    {
        app.UseAuthentication();
        app.UseRateLimiter();
        app.UseAuthorization();
    }

    public static ClaimsPrincipal Principal(AuditActor actor, ApiRole role, string? session = null) =>
        new(
            new ClaimsIdentity(
                [
                    new Claim(ClaimTypes.Name, actor.Name),
                    new Claim(KindClaim, actor.Kind.ToString()),
                    new Claim(ClaimTypes.Role, role.ToString()),
                    .. session is null ? (Claim[])[] : [new Claim(SessionClaim, session)],
                ],
                ApiKeyHandler.SchemeName
            )
        );

    /// <summary>Who makes a request, for the audit log.</summary>
    public static AuditActor Actor(this ClaimsPrincipal user) =>
        new(Enum.Parse<AuditActorKind>(user.FindFirstValue(KindClaim)!), user.Identity!.Name!);

    private static bool IsOperator(ClaimsPrincipal user) => user.IsInRole(nameof(ApiRole.Operator));

    private static bool OnlyLooks(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method);

    private static void LimitRates(RateLimiterOptions limiter, ApiOptions options)
    {
        limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, (string Kind, string Who)>(http =>
            http.User.Identity is { IsAuthenticated: true }
                ? RateLimitPartition.GetTokenBucketLimiter(
                    (http.User.FindFirstValue(KindClaim)!, http.User.Identity.Name!),
                    _ => Bucket(options.RequestsPerSecond)
                )
                : RateLimitPartition.GetTokenBucketLimiter(
                    ("address", Network(http.Connection.RemoteIpAddress)),
                    _ => Bucket(options.AnonymousRequestsPerSecond)
                )
        );
        limiter.OnRejected = RefuseAsync;
    }

    private static TokenBucketRateLimiterOptions Bucket(int perSecond) =>
        new()
        {
            TokenLimit = BurstSeconds * perSecond,
            TokensPerPeriod = perSecond,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            QueueLimit = 0,
        };

    // The holder of one IPv6 address has the whole /64 around it.
    private static string Network(IPAddress? address) =>
        address switch
        {
            null => "",
            { IsIPv4MappedToIPv6: true } => address.MapToIPv4().ToString(),
            { AddressFamily: AddressFamily.InterNetworkV6 } => Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8)),
            _ => address.ToString(),
        };

    private static async ValueTask RefuseAsync(OnRejectedContext context, CancellationToken cancellationToken)
    {
        var http = context.HttpContext;
        var wait = context.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after)
            ? Math.Max(1, (int)Math.Ceiling(after.TotalSeconds))
            : 1;
        http.Response.StatusCode = StatusCodes.Status429TooManyRequests;
        http.Response.Headers.RetryAfter = wait.ToString(CultureInfo.InvariantCulture);
        await http
            .RequestServices.GetRequiredService<IProblemDetailsService>()
            .WriteAsync(
                new ProblemDetailsContext
                {
                    HttpContext = http,
                    ProblemDetails = new ProblemDetails
                    {
                        Status = StatusCodes.Status429TooManyRequests,
                        Title = "Too many requests.",
                        Detail =
                            $"Try again in {wait} s. The limits are the settings Api__RequestsPerSecond (a key) and Api__AnonymousRequestsPerSecond (an address without one).",
                    },
                }
            );
    }
}
