using Npgsql;

namespace Distributed.TestServers;

/// <summary>An empty database of a test's own, dropped with everything in it on disposal.</summary>
public sealed class PostgresDatabase : IAsyncDisposable
{
    private readonly string _server;

    private PostgresDatabase(string name, string server)
    {
        Name = name;
        _server = server;
        ConnectionString = new NpgsqlConnectionStringBuilder(server) { Database = name }.ConnectionString;
    }

    public string Name { get; }

    public string ConnectionString { get; }

    /// <param name="server">A server of the test's own; that of the test run where null.</param>
    /// <param name="cancellationToken">Stops waiting for it.</param>
    public static async Task<PostgresDatabase> CreateAsync(string? server = null, CancellationToken cancellationToken = default)
    {
        server ??= TestEnvironment.PostgresConnectionString;
        var name = $"test_{Guid.NewGuid():N}";
        // From template0, to which nobody connects: a session in the template would make this fail.
        await ExecuteAsync(server, $"CREATE DATABASE {name} TEMPLATE template0", cancellationToken);
        return new PostgresDatabase(name, server);
    }

    public async ValueTask DisposeAsync()
    {
        await using (var connection = new NpgsqlConnection(ConnectionString))
        {
            NpgsqlConnection.ClearPool(connection);
        }

        // Sessions that a test, or a process that it killed, left open end with the database.
        await ExecuteAsync(_server, $"DROP DATABASE IF EXISTS {Name} WITH (FORCE)", CancellationToken.None);
    }

    private static async Task ExecuteAsync(string server, string sql, CancellationToken cancellationToken)
    {
        // Without a pool: it would keep sessions for every test project.
        var builder = new NpgsqlConnectionStringBuilder(server) { Pooling = false };
        await using var connection = new NpgsqlConnection(builder.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
