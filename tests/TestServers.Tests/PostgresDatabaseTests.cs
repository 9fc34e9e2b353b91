using Npgsql;

namespace Distributed.TestServers.Tests;

public sealed class PostgresDatabaseTests
{
    [Fact]
    public async Task A_database_is_empty_and_its_own_and_dropped_with_open_sessions()
    {
        await using var other = await PostgresDatabase.CreateAsync();
        var database = await PostgresDatabase.CreateAsync();
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync();
        await ExecuteAsync(connection, "CREATE TABLE things (id int)");
        Assert.Equal(database.Name, await ExecuteAsync(connection, "SELECT current_database()"));
        Assert.Equal(1L, await CountTablesAsync(database.ConnectionString));
        Assert.Equal(0L, await CountTablesAsync(other.ConnectionString));
        Assert.True(await ExistsAsync(database.Name));

        await database.DisposeAsync();

        Assert.False(await ExistsAsync(database.Name));
        Assert.True(await ExistsAsync(other.Name));
    }

    [Fact]
    public async Task Many_are_created_and_dropped_at_once() =>
        await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(async _ =>
                {
                    await using var database = await PostgresDatabase.CreateAsync();
                    Assert.Equal(0L, await CountTablesAsync(database.ConnectionString));
                })
        );

    [Fact]
    public async Task The_server_has_room_for_many_sessions_and_syncs_to_disk()
    {
        await using var connection = new NpgsqlConnection(TestEnvironment.PostgresConnectionString);
        await connection.OpenAsync();

        Assert.True(int.Parse((string)(await ExecuteAsync(connection, "SHOW max_connections"))!) >= 200);
        Assert.Equal("on", await ExecuteAsync(connection, "SHOW fsync"));
    }

    private static async Task<bool> ExistsAsync(string name)
    {
        await using var connection = new NpgsqlConnection(TestEnvironment.PostgresConnectionString);
        await connection.OpenAsync();
        return (bool)(await ExecuteAsync(connection, $"SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{name}')"))!;
    }

    private static async Task<object?> CountTablesAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        return await ExecuteAsync(connection, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    }

    private static async Task<object?> ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
