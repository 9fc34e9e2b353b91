using Distributed.Jobs;
using Distributed.OrderPipeline;
using Distributed.TestServers;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs.Tests;

/// <summary>A pipeline of its own, declared by a test, through all that befalls jobs: every job is done once.</summary>
public sealed class OrderPipelineTests
{
    private const int Orders = 4;
    private const int JobsAnOrder = 1 + OrderStages.Parts + 1 + OrderStages.Stretches;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task In_memory_with_SQLite_every_job_is_done_once_though_hosts_are_killed_and_messages_come_twice()
    {
        var path = Path.Combine(Path.GetTempPath(), $"orders-{Guid.NewGuid():N}.db");
        var connection = $"Data Source={path}";
        var broker = new InMemoryBroker();
        var hosts = new List<OrderHost>();
        var kills = 0;
        try
        {
            for (var i = 0; i < 3; i++)
            {
                hosts.Add(await OrderHost.StartAsync(connection, broker));
            }

            await CreateAsync(hosts[0].Contexts.CreateDbContext());
            for (var i = 0; i < Orders; i++)
            {
                await using var context = hosts[0].Contexts.CreateDbContext();
                var order = await context.SubmitAsync(Token);
                await hosts[0].Dispatcher.SendAsync([order.Scope], again: false, Token);
            }

            var random = new Random(1);
            await UntilDoneAsync(
                () => hosts[^1].Contexts.CreateDbContext(),
                async () =>
                {
                    // One that is killed is followed by another, which finds what the first left undone.
                    if (kills++ < 20)
                    {
                        var killed = hosts[random.Next(hosts.Count)];
                        hosts.Remove(killed);
                        await killed.DisposeAsync();
                        hosts.Add(await OrderHost.StartAsync(connection, broker));
                    }

                    await hosts[0].Watchdog.ScanAsync(Token);
                },
                TimeSpan.FromMilliseconds(100)
            );

            Assert.True(kills > 5, $"only {kills} hosts were killed: the orders were done too soon");
        }
        finally
        {
            foreach (var host in hosts)
            {
                await host.DisposeAsync();
            }

            using (var pool = new SqliteConnection(connection))
            {
                SqliteConnection.ClearPool(pool);
            }

            foreach (var suffix in (string[])["", "-wal", "-shm"])
            {
                File.Delete(path + suffix);
            }
        }
    }

    [Fact]
    public async Task Over_RabbitMQ_with_Postgres_every_job_is_done_once_though_processes_are_killed()
    {
        await using var database = await PostgresDatabase.CreateAsync(cancellationToken: Token);
        await using var broker = await RabbitMqVirtualHost.CreateAsync(cancellationToken: Token);
        OrderContext Open() =>
            new(new DbContextOptionsBuilder<OrderContext>().UseNpgsql(database.ConnectionString).UseSnakeCaseNamingConvention().Options);
        await CreateAsync(Open());
        for (var i = 0; i < Orders; i++)
        {
            // Nobody sends their first messages: the watchdogs of the hosts find them.
            await using var context = Open();
            await context.SubmitAsync(Token);
        }

        var hosts = new List<HostProcess>();
        var kills = 0;
        try
        {
            HostProcess Start() =>
                HostProcess.StartService(typeof(Program).Assembly.Location, [database.ConnectionString, broker.Uri.ToString()]);
            hosts.AddRange([Start(), Start(), Start()]);
            var random = new Random(1);
            await UntilDoneAsync(
                Open,
                async () =>
                {
                    await using var context = Open();
                    // Not before they work, and no more than leave some to do the rest.
                    if (kills < 6 && await context.Deeds.CountAsync(Token) > 20 * (kills + 1))
                    {
                        var killed = hosts[random.Next(hosts.Count)];
                        hosts.Remove(killed);
                        await killed.DisposeAsync();
                        hosts.Add(Start());
                        kills++;
                    }
                },
                TimeSpan.FromMilliseconds(50)
            );
            Assert.True(kills > 0, "no process was killed: the orders were done too soon");
        }
        finally
        {
            foreach (var host in hosts)
            {
                await host.DisposeAsync();
            }
        }
    }

    private static async Task CreateAsync(OrderContext context)
    {
        await using (context)
        {
            await context.Database.EnsureCreatedAsync(Token);
        }
    }

    private static async Task UntilDoneAsync(Func<OrderContext> open, Func<Task> disturb, TimeSpan pace)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Limit);
        using var timer = new PeriodicTimer(pace);
        while (true)
        {
            await using (var context = open())
            {
                if (await context.Orders.AllAsync(order => !order.IsOpen, limit.Token))
                {
                    break;
                }
            }

            await disturb();
            await timer.WaitForNextTickAsync(limit.Token);
        }

        await using var done = open();
        Assert.Equal(Orders, await done.Orders.CountAsync(order => order.Failure == null, Token));
        Assert.All(await done.Jobs.AsNoTracking().ToListAsync(Token), job => Assert.Equal(JobState.Done, job.State));
        var deeds = await done.Deeds.AsNoTracking().ToListAsync(Token);
        Assert.Equal(Orders * JobsAnOrder, deeds.Count);
        Assert.Equal(deeds.Count, deeds.DistinctBy(deed => (deed.Kind, deed.Scope, deed.Step)).Count());
    }
}
