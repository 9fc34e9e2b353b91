using Distributed.Dashboard.Access;
using Distributed.Dashboard.Layout;
using Distributed.Dashboard.Live;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using MudBlazor.Services;

namespace Distributed.Dashboard;

/// <summary>Adds the dashboard to a host.</summary>
public static class DashboardRegistration
{
    /// <summary>The largest picture that can be dropped on a page to be predicted, bytes.</summary>
    internal const int LargestPicture = 16 << 20;

    /// <summary>
    /// The most that a browser sends at once, bytes: what a page was written with comes back when its connection begins, and the figures of a
    /// thousand classes are some of that.
    /// </summary>
    private const int LargestState = 8 << 20;

    /// <summary>Registers what the pages need; the host adds an <see cref="IDashboardHost"/>.</summary>
    public static void AddDashboard(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddHttpContextAccessor();
        services.AddCascadingAuthenticationState();
        services
            .AddRazorComponents()
            .AddInteractiveServerComponents()
            .AddHubOptions(options => options.MaximumReceiveMessageSize = LargestState);
        services.AddMudServices();
        services.AddSingleton<ApiConnections>();
        services.AddScoped<Visitor>();
        services.AddScoped<ILiveUpdates, EventUpdates>();
    }

    /// <summary>Maps the pages and the connection that keeps some of them live.</summary>
    /// <returns>For the host to say who may see them.</returns>
    public static IEndpointConventionBuilder MapDashboard(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return endpoints
            .MapRazorComponents<App>()
            .AddInteractiveServerRenderMode(options =>
                // The host's own policy says who may frame a page: nobody.
                options.ContentSecurityFrameAncestorsPolicy = null
            );
    }
}
