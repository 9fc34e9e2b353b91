namespace Distributed.TestServers;

/// <summary>Where a broker and a database are.</summary>
/// <param name="RabbitMq">The broker with its default virtual host, user and password included.</param>
/// <param name="RabbitMqManagement">Its management API, user and password included.</param>
/// <param name="Postgres">The maintenance database, as a user who may create others.</param>
public sealed record ServerAddresses(Uri RabbitMq, Uri RabbitMqManagement, string Postgres)
{
    /// <summary>The broker's own metrics, where it was started with them.</summary>
    public Uri? RabbitMqPrometheus { get; init; }
}
