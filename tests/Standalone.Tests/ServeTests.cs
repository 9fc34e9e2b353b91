using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Standalone.Tests;

public sealed class ServeTests
{
    [Fact]
    public async Task The_server_takes_a_run_works_on_it_and_ends_when_asked()
    {
        using var command = new CommandLine();
        var address = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        await using var server = CommandLine.Start(["serve", "--urls", address.ToString(), "--volume", command.Volume]);
        await server.WaitForHealthyAsync(new Uri(address, "/health/ready"));
        using var client = new HttpClient { BaseAddress = address };

        using var submitted = await client.PostAsJsonAsync("/api/v1/runs", new { inputSize = 32, precision = "fp32", training = new { epochs = 2 } });
        Assert.Equal(HttpStatusCode.Accepted, submitted.StatusCode);
        var run = submitted.Headers.Location!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        JsonElement detail;
        do
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), patience.Token);
            detail = await client.GetFromJsonAsync<JsonElement>(run, patience.Token);
        }
        while (detail.GetProperty("summary").GetProperty("state").GetString() is not ("completed" or "failed"));

        Assert.Equal("completed", detail.GetProperty("summary").GetProperty("state").GetString());
        Assert.Contains("<!DOCTYPE html>", await client.GetStringAsync(detail.GetProperty("reportUrl").GetString()));
        Assert.Contains("distributed_features_images", await client.GetStringAsync("/metrics"));
        server.Terminate();
        Assert.Equal(143, await server.WaitForExitAsync());
    }
}
