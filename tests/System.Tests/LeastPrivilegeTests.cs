using System.Text;
using System.Text.Json;
using Distributed.TestServers;
using Npgsql;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Distributed.System.Tests;

public sealed class LeastPrivilegeTests
{
    [Fact]
    public async Task A_run_completes_with_users_that_may_do_no_more_than_their_services_do_and_their_secrets_are_seen_nowhere()
    {
        await using var collector = await TraceCollector.StartAsync();
        RestrictedUsers? users = null;
        var cluster = await Cluster.StartAsync(
            new Dictionary<string, string?>(SampleRun.Settings)
            {
                ["Logging__LogLevel__Default"] = "Debug",
                ["Logging__LogLevel__MassTransit"] = "Debug",
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Endpoint.ToString(),
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "500",
            },
            async made => users = await RestrictedUsers.CreateAsync(made)
        );
        await using (cluster)
        await using (users)
        {
            var run = await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(new { precision = "fp32" }));
            Assert.Equal("completed", run.GetProperty("summary").GetProperty("state").GetString());

            await ClientsSubmitAndListenAsync(cluster, users!);
            await ForbiddenInTheCatalogAsync(users!);
            await ForbiddenAtTheBrokerAsync(users!);
            await NothingIsSeenAsync(cluster, users!, collector);
        }
    }

    private static async Task ClientsSubmitAndListenAsync(Cluster cluster, RestrictedUsers users)
    {
        var runId = Guid.NewGuid();
        await using var connection = await new ConnectionFactory { Uri = users.Broker("client") }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        var mine = (await channel.QueueDeclareAsync()).QueueName;
        await channel.QueueBindAsync(mine, "Distributed.Contracts:RunEvaluated", "");
        await channel.BasicPublishAsync(
            "submit-run",
            "",
            mandatory: true,
            Encoding.UTF8.GetBytes($$$"""{"runId":"{{{runId}}}","specification":{"precision":"fp32","name":"by a client"}}""")
        );
        // The event of the run before may come first.
        await cluster.WaitAsync(
            "the event",
            async () =>
                await channel.BasicGetAsync(mine, autoAck: true) is { } got
                    ? JsonDocument.Parse(got.Body).RootElement.GetProperty("message").GetProperty("runId").GetGuid()
                    : Guid.Empty,
            announced => announced == runId
        );
        var entry = (await cluster.GetAsync($"/api/v1/audit?subject={runId:D}")).GetProperty("items")[0];
        Assert.Equal("message", entry.GetProperty("actorKind").GetString());
    }

    private static async Task ForbiddenInTheCatalogAsync(RestrictedUsers users)
    {
        foreach (
            var (role, sql) in new[]
            {
                ("api", "DELETE FROM audit_log"),
                ("api", "UPDATE audit_log SET actor = 'nobody'"),
                ("api", "TRUNCATE audit_log"),
                ("api", "DELETE FROM api_keys"),
                ("api", "DROP TABLE audit_log"),
                ("api", "CREATE TABLE mine (id int)"),
                ("worker", "SELECT * FROM api_keys"),
                ("worker", "INSERT INTO api_keys (id) VALUES ('mine')"),
                ("worker", "SELECT * FROM audit_log"),
                ("worker", "INSERT INTO audit_log (id) VALUES (gen_random_uuid())"),
                ("worker", "UPDATE installation SET volume_id = gen_random_uuid()"),
                ("worker", "DELETE FROM installation"),
                ("worker", "ALTER TABLE runs ADD COLUMN mine int"),
                ("worker", "CREATE TABLE mine (id int)"),
                ("worker", "UPDATE \"__EFMigrationsHistory\" SET product_version = ''"),
            }
        )
        {
            await using var connection = new NpgsqlConnection(users.Catalog(role));
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand(sql, connection);
            var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
            Assert.True(refused.SqlState == PostgresErrorCodes.InsufficientPrivilege, $"{role}: {sql}: {refused.Message}");
        }
    }

    private static async Task ForbiddenAtTheBrokerAsync(RestrictedUsers users)
    {
        foreach (
            var (user, what, act) in new (string, string, Func<IChannel, Task>)[]
            {
                ("client", "read submissions", channel => channel.BasicGetAsync("submit-run", autoAck: false)),
                (
                    "client",
                    "send a job",
                    channel => channel.BasicPublishAsync("train-head", "", mandatory: true, new byte[] { 1 }).AsTask()
                ),
                (
                    "client",
                    "forge an event",
                    channel =>
                        channel.BasicPublishAsync("Distributed.Contracts:RunEvaluated", "", mandatory: true, new byte[] { 1 }).AsTask()
                ),
                ("client", "listen to jobs", channel => channel.QueueBindAsync("client-x", "train-head", "")),
                ("client", "delete a queue", channel => channel.QueueDeleteAsync("submit-run")),
                ("training", "read another's jobs", channel => channel.BasicGetAsync("evaluate-head", autoAck: false)),
                ("training", "read submissions", channel => channel.BasicGetAsync("submit-run", autoAck: false)),
                ("evaluation", "read another's jobs", channel => channel.BasicGetAsync("train-head", autoAck: false)),
                ("ingestion", "declare what is not the system's", channel => channel.QueueDeclareAsync("mine")),
            }
        )
        {
            await using var connection = await new ConnectionFactory { Uri = users.Broker(user) }.CreateConnectionAsync();
            // With confirms, a refused publication is told to whoever published.
            await using var channel = await connection.CreateChannelAsync(
                new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true)
            );
            if (what == "listen to jobs")
            {
                await channel.QueueDeclareAsync("client-x");
            }

            var refused = await Record.ExceptionAsync(() => act(channel));
            Assert.True(refused is not null, $"{user} could {what}");
            Assert.True(channel.CloseReason?.ReplyCode == Constants.AccessRefused, $"{user}, {what}: {refused}");
        }
    }

    private static async Task NothingIsSeenAsync(Cluster cluster, RestrictedUsers users, TraceCollector collector)
    {
        var lines = cluster.Lines.ToList();
        // Otherwise this would prove nothing.
        Assert.Contains(lines, line => line.Contains(" debug MassTransit", StringComparison.Ordinal));
        await using var source = NpgsqlDataSource.Create(cluster.Database.ConnectionString);
        var tables = new List<string>();
        await using (var command = source.CreateCommand("select table_name from information_schema.tables where table_schema = 'public'"))
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                tables.Add(reader.GetString(0));
            }
        }

        Assert.Contains("runs", tables);
        var rows = new StringBuilder();
        foreach (var table in tables)
        {
            await using var command = source.CreateCommand($"select coalesce(string_agg(t::text, ' '), '') from \"{table}\" t");
            rows.Append((string)(await command.ExecuteScalarAsync())!);
        }

        Assert.NotEmpty(collector.Received);
        foreach (var secret in users.Secrets)
        {
            Assert.DoesNotContain(lines, line => line.Contains(secret, StringComparison.Ordinal));
            Assert.DoesNotContain(secret, rows.ToString(), StringComparison.Ordinal);
            Assert.All(collector.Received, body => Assert.Equal(-1, body.AsSpan().IndexOf(Encoding.UTF8.GetBytes(secret))));
        }
    }
}
