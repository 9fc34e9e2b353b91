using System.Net;
using System.Security.Claims;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Distributed.Dashboard;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Distributed.AdminApi.Browser;

/// <summary>Tells the dashboard where the API is, which is here, and by which key to ask it.</summary>
internal sealed class DashboardHost(IServer server, IConfiguration configuration, BrowserSessions sessions) : IDashboardHost
{
    public Uri ApiAddress =>
        (
            server.Features.Get<IServerAddressesFeature>()?.Addresses.Select(Reach).Where(IsOfApi).OrderBy(address => address.Scheme.Length)
            ?? Enumerable.Empty<Uri>()
        ).FirstOrDefault() ?? throw new InvalidOperationException("The host listens nowhere that the dashboard could ask.");

    public VisitorAccess AccessOf(ClaimsPrincipal visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        if (visitor.FindFirstValue(ApiAccess.SessionClaim) is { } token)
        {
            return sessions.Find(token) is { } key ? new VisitorAccess(IsSignedIn: true, key.Reveal()) : VisitorAccess.None;
        }

        // What this process asks itself comes from this machine, too: only for a visitor who does may it go without a key.
        return visitor.Identity is { IsAuthenticated: true } && visitor.Actor().Kind == AuditActorKind.Local
            ? new VisitorAccess(IsSignedIn: true, Key: null)
            : VisitorAccess.None;
    }

    /// <summary>An address where it listens, as this process reaches it.</summary>
    private static Uri Reach(string address)
    {
        var binding = BindingAddress.Parse(address);
        var isEveryone = binding.Host is "*" or "+" || (IPAddress.TryParse(binding.Host.Trim('[', ']'), out var ip) && IsAny(ip));
        return new UriBuilder(binding.Scheme, isEveryone ? IPAddress.Loopback.ToString() : binding.Host, binding.Port).Uri;
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    private bool IsOfApi(Uri address) => configuration["Metrics:Port"] is not { } port || address.Port.ToString() != port;
}
