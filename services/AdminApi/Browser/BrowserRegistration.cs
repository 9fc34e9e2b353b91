using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Distributed.Dashboard;
using Distributed.ServiceDefaults;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;

namespace Distributed.AdminApi.Browser;

/// <summary>The dashboard on this host: its pages, who may see them, and what a browser may do with them.</summary>
internal static class BrowserRegistration
{
    /// <summary>Scripts, pictures and connections of this host alone. The component library sets styles in elements; it runs no script in them.</summary>
    private const string ContentSecurity =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'";

    private const string Policy = "browser";

    public static void AddBrowser(this WebApplicationBuilder builder)
    {
        builder.Services.AddDataProtection();
        builder.Services.Configure<KeyManagementOptions>(options => options.XmlRepository = new MemoryKeys());
        builder.Services.AddAntiforgery(options =>
        {
            options.Cookie.Name = "distributed-form";
            options.FormFieldName = "form";
            options.SuppressXFrameOptionsHeader = true;
        });
        builder.Services.AddSingleton<IDashboardHost, DashboardHost>();
        builder.Services.AddDashboard();
        // A key that comes with the request itself is for programs, which have the API.
        builder
            .Services.AddAuthorizationBuilder()
            .AddPolicy(
                Policy,
                policy =>
                    policy
                        .RequireAuthenticatedUser()
                        .RequireAssertion(context =>
                            context.User.HasClaim(claim => claim.Type == ApiAccess.SessionClaim)
                            || (
                                // All requirements are asked, also of nobody.
                                context.User.Identity
                                    is { IsAuthenticated: true }
                                && context.User.Actor().Kind == AuditActorKind.Local
                            )
                        )
            );
    }

    public static void MapBrowser(this WebApplication app)
    {
        app.UseAntiforgery();
        app.MapSignIn();
        app.MapDashboard().RequireAuthorization(Policy).WithMetadata(new BrowserEndpoint()).WithContentSecurity(ContentSecurity);
        var assets = Path.Combine(AppContext.BaseDirectory, $"{app.Environment.ApplicationName}.staticwebassets.endpoints.json");
        // A test that hosts the service in its own program has none.
        if (File.Exists(assets))
        {
            app.MapStaticAssets(assets).AllowAnonymous().DisableRateLimiting();
        }
    }
}
