using System.Net;
using RabbitMQ.Client;

namespace Distributed.TestServers.Tests;

public sealed class RabbitMqVirtualHostTests
{
    [Fact]
    public async Task A_virtual_host_is_empty_and_its_own_and_deleted_with_open_connections()
    {
        await using var other = await RabbitMqVirtualHost.CreateAsync();
        var host = await RabbitMqVirtualHost.CreateAsync();
        await using var connection = await ConnectAsync(host.Uri);
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        connection.ConnectionShutdownAsync += (_, _) =>
        {
            closed.TrySetResult();
            return Task.CompletedTask;
        };
        await using var channel = await connection.CreateChannelAsync();
        await channel.QueueDeclareAsync("queue", durable: true, exclusive: false, autoDelete: false);
        await channel.BasicPublishAsync("", "queue", new byte[] { 1 });
        Assert.Equal("[]", await QueuesAsync(other.Name));

        await host.DisposeAsync();

        await closed.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(host.Name));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(other.Name));
    }

    [Fact]
    public async Task Quorum_queues_work_in_it()
    {
        await using var host = await RabbitMqVirtualHost.CreateAsync();
        await using var connection = await ConnectAsync(host.Uri);
        await using var channel = await connection.CreateChannelAsync();

        var queue = await channel.QueueDeclareAsync(
            "quorum",
            durable: true,
            exclusive: false,
            autoDelete: false,
            new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }
        );

        Assert.Equal("quorum", queue.QueueName);
    }

    private static Task<IConnection> ConnectAsync(Uri uri) => new ConnectionFactory { Uri = uri }.CreateConnectionAsync();

    private static async Task<string> QueuesAsync(string name)
    {
        using var client = RabbitMqVirtualHost.ManagementClient();
        return await client.GetStringAsync($"api/queues/{name}");
    }

    private static async Task<HttpStatusCode> StatusAsync(string name)
    {
        using var client = RabbitMqVirtualHost.ManagementClient();
        using var response = await client.GetAsync($"api/vhosts/{name}");
        return response.StatusCode;
    }
}
