namespace Distributed.Messaging;

/// <summary>Where the broker is.</summary>
public sealed record BrokerAddress
{
    /// <summary>How the address of a broker is written.</summary>
    public const string Form = "amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps for TLS";

    private const string InMemory = "in-memory";

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
                : throw new InvalidOperationException("The bus inside the process has no user.");
        }
    }

    /// <summary>What is wrong with a connection string; null when nothing is. What it holds is not repeated, since that may be a password.</summary>
    /// <param name="connectionString">See <see cref="Parse"/>.</param>
    public static string? FindError(string? connectionString) =>
        connectionString switch
        {
            null or "" => "is not set",
            InMemory => null,
            _ when !System.Uri.TryCreate(connectionString, UriKind.Absolute, out var uri)
                    || uri.Scheme is not ("amqp" or "amqps")
                    || uri.Host.Length == 0 => "is malformed",
            _ when !new Uri(connectionString).UserInfo.Contains(':', StringComparison.Ordinal) => "names no user and password",
            _ => null,
        };

    /// <summary>Reads a connection string.</summary>
    /// <param name="connectionString"><c>amqp://USER:PASSWORD@HOST:PORT/VHOST</c>, amqps for TLS, or <c>in-memory</c>.</param>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public static BrokerAddress Parse(string? connectionString) =>
        FindError(connectionString) is { } wrong
            ? throw new ArgumentException($"ConnectionStrings__RabbitMq {wrong}; it must be {Form}.")
            : new BrokerAddress(connectionString == InMemory ? null : new Uri(connectionString!));
}
