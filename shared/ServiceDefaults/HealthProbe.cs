using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Distributed.ServiceDefaults;

/// <summary>
/// The command <c>healthcheck</c> of every host: asks the host on this machine how it is. For images that hold no other program; it
/// starts no host and needs little of the runtime, as an engine asks every few seconds.
/// </summary>
internal static class HealthProbe
{
    /// <summary>The command's name.</summary>
    public const string Command = "healthcheck";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    /// <summary>Asks for <paramref name="path"/> at the first port of <c>ASPNETCORE_HTTP_PORTS</c>, and writes the answer.</summary>
    /// <param name="path">Such as <c>/health/ready</c>.</param>
    /// <returns>The status to end with: 0 where the answer is 200, 1 where it is another or none comes.</returns>
    public static int Run(string path)
    {
        var ports = Environment.GetEnvironmentVariable("ASPNETCORE_HTTP_PORTS") ?? "";
        if (!int.TryParse(ports.Split(';')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var port))
        {
            Console.Error.WriteLine($"error: {Command} needs ASPNETCORE_HTTP_PORTS, the ports that the host listens on");
            return ServiceHost.MisconfiguredStatus;
        }

        try
        {
            var answer = Ask(new IPEndPoint(IPAddress.Loopback, port), path);
            var head = answer.Split("\r\n", 2)[0].Split(' ');
            Console.WriteLine(answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
            return head is [_, "200", ..] ? 0 : 1;
        }
        catch (SocketException exception)
        {
            Console.Error.WriteLine($"error: {exception.Message}");
            return 1;
        }
    }

    // HTTP/1.0, so that the body comes in one piece and the connection's end is its end.
    private static string Ask(IPEndPoint host, string path)
    {
        using var socket = new Socket(host.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.ReceiveTimeout = socket.SendTimeout = (int)Patience.TotalMilliseconds;
        socket.Connect(host);
        socket.Send(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"));
        var answer = new MemoryStream();
        var buffer = new byte[4096];
        for (int read; (read = socket.Receive(buffer)) > 0; )
        {
            answer.Write(buffer, 0, read);
        }

        return Encoding.UTF8.GetString(answer.GetBuffer(), 0, (int)answer.Length);
    }
}
