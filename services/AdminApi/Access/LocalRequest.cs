using System.Net;

namespace Distributed.AdminApi.Access;

/// <summary>Tells a request of this machine's own users from all others that the loopback address also carries.</summary>
internal static class LocalRequest
{
    private static readonly string[] ProxyHeaders = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"];

    /// <summary>Whether it comes from this machine, was not handed on by a proxy, and was not made by a page from elsewhere in a browser here.</summary>
    public static bool Is(HttpContext context)
    {
        var request = context.Request;
        return context.Connection.RemoteIpAddress is { } remote
            && IPAddress.IsLoopback(remote)
            && !Array.Exists(ProxyHeaders, request.Headers.ContainsKey)
            // A page whose host name was made to lead to this machine (DNS rebinding) still sends that name.
            && IsLoopbackName(request.Host.Host)
            && (
                request.Headers.Origin is not [{ } origin]
                || string.Equals(origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase)
            )
            && request.Headers["Sec-Fetch-Site"] is not ["cross-site" or "same-site"];
    }

    private static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
}
