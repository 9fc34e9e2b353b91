using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Distributed.TestServers;

/// <summary>Ports for servers that must be told theirs before they start.</summary>
public static class FreePort
{
    private static readonly ConcurrentDictionary<int, bool> Given = new();

    /// <summary>A loopback TCP port that nobody listens on, and that this process did not hand out before.</summary>
    public static int Next()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            if (Given.TryAdd(port, true))
            {
                return port;
            }
        }
    }
}
