namespace Distributed.TestServers;

/// <summary>A broker and a database of a test's own, which it may end and start again: they keep ports and data. Disposal stops them.</summary>
public sealed class RestartableServers : IAsyncDisposable
{
    private readonly ServerScript _script;

    private RestartableServers(ServerScript script)
    {
        _script = script;
        Addresses = new ServerAddresses(
            new Uri(script.Variables[TestEnvironment.RabbitMqVariable]),
            new Uri(script.Variables[TestEnvironment.RabbitMqManagementVariable]),
            script.Variables[TestEnvironment.PostgresVariable]
        )
        {
            RabbitMqPrometheus = new Uri(script.Variables["DISTRIBUTED_TEST_RABBITMQ_PROMETHEUS"]),
        };
    }

    /// <summary>Where they are.</summary>
    public ServerAddresses Addresses { get; }

    /// <summary>Starts both, from the distribution's packages: the ports of containers change when they are started again.</summary>
    public static async Task<RestartableServers> StartAsync() => new(await ServerScript.StartAsync("--restartable"));

    /// <summary>Ends the broker, orderly or as a power cut would, and starts it again; returns when it takes connections.</summary>
    public Task RestartBrokerAsync(bool kill) => _script.RunAsync("restart", ["rabbitmq", .. Kill(kill)]);

    /// <summary>Ends the broker in order; <see cref="RestartBrokerAsync"/> begins it again.</summary>
    public Task HaltBrokerAsync() => _script.RunAsync("halt", "rabbitmq");

    /// <summary>Ends the database, orderly or as a power cut would, and starts it again; returns when it takes connections.</summary>
    public Task RestartDatabaseAsync(bool kill) => _script.RunAsync("restart", ["postgres", .. Kill(kill)]);

    public ValueTask DisposeAsync() => _script.DisposeAsync();

    private static string[] Kill(bool kill) => kill ? ["--kill"] : [];
}
