using Distributed.Client.Tests;
using Distributed.TestServers;

[assembly: AssemblyFixture(typeof(Served))]

namespace Distributed.Client.Tests;

/// <summary>A server with a model.</summary>
public sealed class Served : IAsyncLifetime
{
    private SampleServer? _server;

    /// <summary>The server.</summary>
    public SampleServer Server => _server!;

    public async ValueTask InitializeAsync() =>
        _server = await SampleServer.StartAsync(
            new
            {
                name = "first",
                inputSize = 32,
                precision = "fp32",
                report = false,
            }
        );

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}
