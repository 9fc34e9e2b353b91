namespace Distributed.Messaging;

/// <summary>Where the broker is.</summary>
public sealed record BrokerAddress
{
    private BrokerAddress(Uri? uri) => Uri = uri;

    /// <summary>The broker's AMQP URI; null for the bus inside the process.</summary>
    public Uri? Uri { get; }

    /// <summary>Whether the bus is inside the process.</summary>
    public bool IsInMemory => Uri is null;

    /// <summary>Name of the virtual host, <c>/</c> where the URI names none.</summary>
    public string VirtualHost => Uri is null || Uri.AbsolutePath.Length <= 1 ? "/" : System.Uri.UnescapeDataString(Uri.AbsolutePath[1..]);

    /// <summary>User and password of the URI.</summary>
    public (string User, string Password) Credentials
    {
        get
        {
            var parts = (Uri?.UserInfo ?? "").Split(':', 2);
            return parts.Length == 2
                ? (System.Uri.UnescapeDataString(parts[0]), System.Uri.UnescapeDataString(parts[1]))
                : throw new ArgumentException("ConnectionStrings:RabbitMq names no user and password; write amqp://USER:PASSWORD@HOST:PORT/VHOST.");
        }
    }

    /// <summary>Reads a connection string.</summary>
    /// <param name="connectionString"><c>amqp://USER:PASSWORD@HOST:PORT/VHOST</c>, amqps for TLS, or <c>in-memory</c>.</param>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public static BrokerAddress Parse(string? connectionString)
    {
        if (string.Equals(connectionString, "in-memory", StringComparison.Ordinal))
        {
            return new BrokerAddress((Uri?)null);
        }

        return Uri.TryCreate(connectionString, UriKind.Absolute, out var uri) && uri.Scheme is "amqp" or "amqps"
            ? new BrokerAddress(uri)
            : throw new ArgumentException("ConnectionStrings:RabbitMq is not configured; write amqp://USER:PASSWORD@HOST:PORT/VHOST.");
    }
}
