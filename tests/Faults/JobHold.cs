using Distributed.TestServers;
using Npgsql;

namespace Distributed.Faults;

/// <summary>
/// Holds the start of a job of some kind, in the transaction that starts it, so that something can be done to what it is about
/// to read. A trigger in the catalog waits for a lock that we have; the hosts know nothing of it.
/// </summary>
internal sealed class JobHold : IAsyncDisposable
{
    private const long Key = 4711;

    private readonly Cluster _cluster;
    private readonly NpgsqlConnection _connection;

    private JobHold(Cluster cluster, NpgsqlConnection connection) => (_cluster, _connection) = (cluster, connection);

    /// <summary>Lets no job of a kind begin, from a step on.</summary>
    public static async Task<JobHold> CreateAsync(Cluster cluster, string kind, int step)
    {
        var hold = new JobHold(cluster, await cluster.Catalog.OpenConnectionAsync());
        await hold.ExecuteAsync(
            $"""
            create or replace function hold_job() returns trigger language plpgsql as $$
            begin
                if exists (select 1 from jobs where id = new.job_id and kind = '{kind}' and step >= {step}) then
                    perform pg_advisory_xact_lock_shared({Key});
                end if;
                return new;
            end $$
            """
        );
        await hold.ExecuteAsync("create or replace trigger hold_job before insert on attempts for each row execute function hold_job()");
        await hold.ExecuteAsync($"select pg_advisory_lock({Key})");
        return hold;
    }

    /// <summary>Waits until a job is held.</summary>
    public Task WaitAsync() =>
        _cluster.WaitAsync(
            "a job to be held",
            () => _cluster.QueryAsync<long>("select count(*) from pg_locks where locktype = 'advisory' and not granted"),
            held => held > 0
        );

    /// <summary>Lets all go on.</summary>
    public async ValueTask DisposeAsync()
    {
        await ExecuteAsync($"select pg_advisory_unlock({Key})");
        await _connection.DisposeAsync();
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = new NpgsqlCommand(sql, _connection);
        await command.ExecuteNonQueryAsync();
    }
}
