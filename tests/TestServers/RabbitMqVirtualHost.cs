using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;

namespace Distributed.TestServers;

/// <summary>
/// A virtual host of a test's own: queues and exchanges of other tests do not exist in it. On disposal it is
/// deleted, which also closes the connections to it.
/// </summary>
public sealed class RabbitMqVirtualHost : IAsyncDisposable
{
    private readonly HttpClient _management;

    private RabbitMqVirtualHost(string name, Uri uri, HttpClient management)
    {
        Name = name;
        Uri = uri;
        _management = management;
    }

    public string Name { get; }

    /// <summary>What a client connects to, with user, password and virtual host.</summary>
    public Uri Uri { get; }

    /// <param name="servers">Servers of the test's own; those of the test run where null.</param>
    /// <param name="cancellationToken">Stops waiting for the broker.</param>
    public static async Task<RabbitMqVirtualHost> CreateAsync(
        ServerAddresses? servers = null,
        CancellationToken cancellationToken = default
    )
    {
        servers ??= TestEnvironment.Servers;
        var name = $"test-{Guid.NewGuid():N}";
        var uri = new UriBuilder(servers.RabbitMq) { Path = name }.Uri;
        var host = new RabbitMqVirtualHost(name, uri, ManagementClient(servers.RabbitMqManagement));
        try
        {
            using var created = await host._management.PutAsync($"api/vhosts/{name}", JsonContent.Create(new { }), cancellationToken);
            created.EnsureSuccessStatusCode();
            var user = uri.UserInfo.Split(':')[0];
            using var allowed = await host._management.PutAsync(
                $"api/permissions/{name}/{user}",
                JsonContent.Create(
                    new
                    {
                        configure = ".*",
                        write = ".*",
                        read = ".*",
                    }
                ),
                cancellationToken
            );
            allowed.EnsureSuccessStatusCode();
            return host;
        }
        catch
        {
            host._management.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using (_management)
        {
            using var deleted = await _management.DeleteAsync($"api/vhosts/{Name}");
            if (deleted.StatusCode != System.Net.HttpStatusCode.NotFound)
            {
                deleted.EnsureSuccessStatusCode();
            }
        }
    }

    /// <summary>A client of the broker's management API, with its base address and credentials set.</summary>
    /// <param name="address">Its address, with user and password; that of the test run's broker where null.</param>
    public static HttpClient ManagementClient(Uri? address = null)
    {
        var uri = address ?? TestEnvironment.RabbitMqManagementUri;
        var credentials = Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(uri.UserInfo)));
        return new HttpClient
        {
            BaseAddress = new UriBuilder(uri) { UserName = "", Password = "" }.Uri,
            Timeout = TimeSpan.FromSeconds(30),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Basic", credentials) },
        };
    }
}
