using System.Net;
using System.Net.Sockets;

namespace Distributed.Messaging.Tests;

/// <summary>Stands before a server, and breaks the first connections in the middle of what the server says.</summary>
internal sealed class BreakingProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Uri _server;
    private readonly int _bytes;
    private int _left;
    private int _broken;

    /// <param name="server">Whom it stands before.</param>
    /// <param name="connections">How many connections it breaks.</param>
    /// <param name="bytes">How much of what the server says they let through.</param>
    public BreakingProxy(Uri server, int connections, int bytes)
    {
        (_server, _left, _bytes) = (server, connections, bytes);
        _listener.Start();
        Uri = new UriBuilder(server) { Host = "127.0.0.1", Port = ((IPEndPoint)_listener.LocalEndpoint).Port }.Uri;
        _ = AcceptAsync();
    }

    /// <summary>The server's address by way of the proxy.</summary>
    public Uri Uri { get; }

    /// <summary>Connections that have been broken.</summary>
    public int Broken => Volatile.Read(ref _broken);

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(_server.Host, _server.Port);
                var breaks = Interlocked.Decrement(ref _left) >= 0;
                var ended = await Task.WhenAny(
                    PumpAsync(client.GetStream(), server.GetStream(), long.MaxValue),
                    PumpAsync(server.GetStream(), client.GetStream(), breaks ? _bytes : long.MaxValue)
                );
                await ended;
                if (breaks)
                {
                    // Reset, as by a server that dies: RabbitMQ.Client 7.2.2 reads on for ever where a stream ends in the middle of a frame.
                    client.LingerState = new LingerOption(enable: true, seconds: 0);
                    client.Client.Dispose();
                    Interlocked.Increment(ref _broken);
                }
            }
            catch (Exception exception) when (exception is IOException or SocketException or ObjectDisposedException)
            {
                // Either side has closed it.
            }
        }
    }

    private static async Task PumpAsync(NetworkStream from, NetworkStream to, long most)
    {
        var buffer = new byte[4096];
        while (most > 0 && await from.ReadAsync(buffer.AsMemory(0, (int)Math.Min(most, buffer.Length))) is > 0 and var read)
        {
            await to.WriteAsync(buffer.AsMemory(0, read));
            most -= read;
        }
    }
}
