using System.Net;
using Distributed.Client;
using Microsoft.AspNetCore.Components.Authorization;

namespace Distributed.Dashboard.Access;

/// <summary>Who looks at a page: asks the API in their name, with their own key.</summary>
internal sealed class Visitor(IDashboardHost host, ApiConnections connections, AuthenticationStateProvider authentication)
{
    private (string? Key, DistributedClient Client)? _connection;
    private Task<Identity>? _identity;

    /// <summary>The API as this visitor may use it.</summary>
    /// <exception cref="ApiException">They have signed out, or their session has ended.</exception>
    public async Task<DistributedClient> ConnectAsync()
    {
        var access = host.AccessOf((await authentication.GetAuthenticationStateAsync()).User);
        if (!access.IsSignedIn)
        {
            throw new ApiException(HttpStatusCode.Unauthorized, "Your session has ended. Sign in again.");
        }

        if (_connection is not { } connection || connection.Key != access.Key)
        {
            _connection = connection = (access.Key, connections.Create(access.Key));
        }

        return connection.Client;
    }

    /// <summary>Who the API takes them for.</summary>
    public Task<Identity> IdentifyAsync() => _identity is { IsFaulted: false } known ? known : _identity = AskAsync();

    private async Task<Identity> AskAsync() => await (await ConnectAsync()).GetIdentityAsync();
}
