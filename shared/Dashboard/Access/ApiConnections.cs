using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using Distributed.Client;

namespace Distributed.Dashboard.Access;

/// <summary>The connections to the API, which all visitors share.</summary>
internal sealed class ApiConnections(IDashboardHost host) : IDisposable
{
    /// <summary>A page that has no answer by then says so, and can be loaded again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly SocketsHttpHandler _handler = new()
    {
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        SslOptions =
        {
            RemoteCertificateValidationCallback = (_, _, _, errors) => errors == SslPolicyErrors.None || IsThisMachine(host.ApiAddress),
        },
    };

    /// <summary>A client that asks with a key, or without one.</summary>
    public DistributedClient Create(string? key)
    {
        var http = new HttpClient(_handler, disposeHandler: false) { BaseAddress = host.ApiAddress, Timeout = Timeout.InfiniteTimeSpan };
        if (key is not null)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        return new DistributedClient(http) { Patience = Patience };
    }

    public void Dispose() => _handler.Dispose();

    /// <summary>The certificate names the host as others know it, and nobody stands between this process and itself.</summary>
    private static bool IsThisMachine(Uri address) => IPAddress.TryParse(address.Host, out var ip) && IPAddress.IsLoopback(ip);
}
