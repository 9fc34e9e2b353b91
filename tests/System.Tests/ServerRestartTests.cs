using System.Net;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>The broker or the database is ended and started again under a run: it waits, and completes with the result of an undisturbed one.</summary>
public sealed class ServerRestartTests(ServerRestartTests.Restartable restartable) : IClassFixture<ServerRestartTests.Restartable>
{
    /// <summary>Trains for longer than an orderly broker takes to end.</summary>
    private static readonly object Specification = SampleRun.Train(epochs: 400);

    [Theory]
    [InlineData("broker", false)]
    [InlineData("broker", true)]
    [InlineData("database", false)]
    [InlineData("database", true)]
    public async Task A_run_completes_as_if_nothing_had_been_and_health_tells_the_truth_meanwhile(string server, bool kill)
    {
        var disturbed = await restartable.RunAsync(
            async (cluster, servers) =>
            {
                await cluster.WaitAsync(
                    "a shard to be done",
                    () => cluster.QueryAsync<long>("select count(*) from jobs where kind = 'ExtractFeatures' and state = 'Done'"),
                    count => count > 0
                );
                var restarting = server == "broker" ? servers.RestartBrokerAsync(kill) : servers.RestartDatabaseAsync(kill);
                DateTime? unreadyAt = null;
                await cluster.WaitAsync(
                    $"the {server} to be back, and the trainer to have been unready",
                    async () =>
                    {
                        Assert.Equal(HttpStatusCode.OK, (await cluster.HealthAsync("Training", "live")).Status);
                        var (status, body) = await cluster.HealthAsync("Training", "ready");
                        if (status == HttpStatusCode.ServiceUnavailable)
                        {
                            unreadyAt ??= DateTime.UtcNow;
                            Assert.Equal(server == "broker" ? "broker" : "catalog", Assert.Single(FailedChecks(body)));
                        }

                        return restarting.IsCompleted && unreadyAt is not null;
                    },
                    done => done
                );
                await restarting;
                foreach (var service in Cluster.Services)
                {
                    await cluster.WaitAsync(
                        $"{service} to be ready",
                        () => cluster.HealthAsync(service, "ready"),
                        health => health.Status == HttpStatusCode.OK
                    );
                }

                return unreadyAt;
            }
        );

        Assert.Equal(await restartable.Undisturbed.Value, disturbed);
    }

    private static IEnumerable<string> FailedChecks(string health) =>
        JsonDocument
            .Parse(health)
            .RootElement.GetProperty("checks")
            .EnumerateObject()
            .Where(check => check.Value.GetProperty("status").GetString() != "Healthy")
            .Select(check => check.Name);

    internal sealed record Outcome(double Accuracy, string Head, long Stages);

    /// <summary>Servers of these tests' own, and what becomes of the run when they stand.</summary>
    public sealed class Restartable : IAsyncLifetime
    {
        private RestartableServers? _servers;

        public Restartable() => Undisturbed = new(() => RunAsync(disturb: null));

        internal Lazy<Task<Outcome>> Undisturbed { get; }

        public async ValueTask InitializeAsync() => _servers = await RestartableServers.StartAsync();

        public async ValueTask DisposeAsync()
        {
            if (_servers is not null)
            {
                await _servers.DisposeAsync();
            }
        }

        /// <param name="disturb">Disturbs the run, and says from when on it did.</param>
        internal async Task<Outcome> RunAsync(Func<Cluster, RestartableServers, Task<DateTime?>>? disturb)
        {
            await using var cluster = await Cluster.StartAsync(SampleRun.Settings, servers: _servers!.Addresses);
            var runId = await cluster.SubmitAsync(Specification);
            var disturbedAt = disturb is null ? null : await disturb(cluster, _servers);
            var run = await cluster.WaitForCompletionAsync(runId);
            Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from jobs where state <> 'Done'"));
            if (disturbedAt is { } moment)
            {
                Assert.True(
                    moment < await cluster.QueryAsync<DateTime>("select finished_at from runs"),
                    "The run was over before it could be disturbed."
                );
            }

            return new Outcome(
                run.GetProperty("summary").GetProperty("testAccuracy").GetDouble(),
                run.GetProperty("headSha256").GetString()!,
                await cluster.QueryAsync<long>(
                    "select (select count(*) from feature_shards) + 1000 * (select count(*) from evaluations) + 10000 * (select count(*) from epoch_metrics)"
                )
            );
        }
    }
}
