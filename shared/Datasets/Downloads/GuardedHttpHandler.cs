using System.Net;
using System.Net.Sockets;

namespace Distributed.Datasets.Downloads;

/// <summary>
/// Sends requests to public addresses only: whatever a name resolves to at the moment of connecting, and wherever a server redirects. So nobody who
/// answers a download can make this host ask its neighbours, itself, or a cloud's metadata service.
/// </summary>
/// <remarks>Where the environment names a proxy, the proxy resolves names; then only addresses written as such are looked at.</remarks>
public sealed class GuardedHttpHandler : DelegatingHandler
{
    private const int MostRedirects = 10;

    private static readonly IPNetwork[] Reserved =
    [
        // RFC 6890, 1918, 6598, 3927, 4193, 4291, 6052 (an IPv4 address in an IPv6 one is looked at as such).
        .. new[]
        {
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "::1/128",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        }.Select(network => IPNetwork.Parse(network)),
    ];

    private static readonly IPNetwork Translated = IPNetwork.Parse("64:ff9b::/96");

    private readonly bool _allowsPrivate;
    private readonly string _setting;

    /// <summary>Makes the handler with a connection pool of its own.</summary>
    /// <param name="allowsPrivate">Whether loopback, link-local and private addresses may be asked, too.</param>
    /// <param name="setting">The setting that says so, for error messages.</param>
    public GuardedHttpHandler(bool allowsPrivate, string setting)
    {
        (_allowsPrivate, _setting) = (allowsPrivate, setting);
        // Positions count the bytes as they are sent, so nothing is decompressed.
        InnerHandler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            ConnectCallback = ConnectAsync,
            ConnectTimeout = TimeSpan.FromSeconds(15),
            MaxResponseHeadersLength = 64,
        };
    }

    /// <summary>Whether a redirect is followed; otherwise it is the answer. What has a body is not sent elsewhere.</summary>
    public bool FollowsRedirects { get; init; } = true;

    /// <summary>Whether an address is one of the public network.</summary>
    public static bool IsPublic(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        var plain =
            address.IsIPv4MappedToIPv6 ? address.MapToIPv4()
            : address.AddressFamily == AddressFamily.InterNetworkV6 && Translated.Contains(address)
                ? new IPAddress(address.GetAddressBytes()[12..])
            : address;
        return !Array.Exists(Reserved, network => network.BaseAddress.AddressFamily == plain.AddressFamily && network.Contains(plain));
    }

    /// <inheritdoc/>
    /// <exception cref="DatasetException">An address is refused.</exception>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var asked = request.RequestUri!;
        for (var redirects = 0; ; redirects++)
        {
            ThrowIfRefused(request.RequestUri!, asked);
            var response = await SendCheckedAsync(request, cancellationToken);
            if (!FollowsRedirects || Target(response, request.RequestUri!) is not { } target)
            {
                return response;
            }

            response.Dispose();
            if (redirects == MostRedirects)
            {
                throw new DatasetException($"'{asked}' redirects more than {MostRedirects} times. Check the address.");
            }

            if (asked.Scheme == Uri.UriSchemeHttps && target.Scheme == Uri.UriSchemeHttp)
            {
                throw new DatasetException($"'{asked}' redirects to '{target}', from https to http, which is refused. Check the address.");
            }

            request = Follow(request, target);
        }
    }

    private async Task<HttpResponseMessage> SendCheckedAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException exception) when (exception.InnerException is DatasetException refused)
        {
            // What was refused while connecting is refused for good.
            throw new DatasetException(refused.Message, exception);
        }
    }

    private static Uri? Target(HttpResponseMessage response, Uri from) =>
        response.StatusCode
            is HttpStatusCode.MovedPermanently
                or HttpStatusCode.Found
                or HttpStatusCode.SeeOther
                or HttpStatusCode.TemporaryRedirect
                or HttpStatusCode.PermanentRedirect
        && response.Headers.Location is { } location
            ? new Uri(from, location)
            : null;

    // Downloads have no body and no credentials, so the headers go along as they are.
    private static HttpRequestMessage Follow(HttpRequestMessage request, Uri target)
    {
        var next = new HttpRequestMessage(request.Method, target);
        foreach (var (name, values) in request.Headers)
        {
            next.Headers.TryAddWithoutValidation(name, values);
        }

        return next;
    }

    private void ThrowIfRefused(Uri uri, Uri asked)
    {
        var by = uri == asked ? "" : $", where '{asked}' redirects,";
        if (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps)
        {
            throw new DatasetException($"'{uri}'{by} is no http or https address.");
        }

        if (!_allowsPrivate && (uri.IsLoopback || (IPAddress.TryParse(uri.DnsSafeHost, out var address) && !IsPublic(address))))
        {
            throw Refusal($"'{uri}'{by} is");
        }
    }

    private DatasetException Refusal(string what) =>
        new(
            $"{what} an address of this machine or its network, and downloads come from public addresses only. If that is your "
                + $"mirror, allow it: {_setting}=true."
        );

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var uri = context.InitialRequestMessage.RequestUri!;
        var endPoint = context.DnsEndPoint;
        var addresses = await Dns.GetHostAddressesAsync(endPoint.Host, cancellationToken);
        // A host other than the request's is the proxy, which the operator of this process has chosen.
        var isProxy = !string.Equals(endPoint.Host, uri.IdnHost, StringComparison.OrdinalIgnoreCase) || endPoint.Port != uri.Port;
        if (!_allowsPrivate && !isProxy)
        {
            addresses = [.. addresses.Where(IsPublic)];
            if (addresses.Length == 0)
            {
                throw Refusal($"'{endPoint.Host}' of '{uri}' is");
            }
        }

        // These very addresses: asking the name again could give others.
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, endPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
