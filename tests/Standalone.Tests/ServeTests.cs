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
        // Nothing of the person's own is needed, such as a place for keys.
        await using var server = CommandLine.Start(
            ["serve", "--urls", address.ToString(), "--volume", command.Volume],
            ("HOME", "/nonexistent")
        );
        await server.WaitForHealthyAsync(new Uri(address, "/health/ready"));
        using var client = new HttpClient { BaseAddress = address };

        using var submitted = await client.PostAsJsonAsync(
            "/api/v1/runs",
            new
            {
                inputSize = 32,
                precision = "fp32",
                training = new { epochs = 2 },
            }
        );
        Assert.Equal(HttpStatusCode.Accepted, submitted.StatusCode);
        var run = submitted.Headers.Location!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        JsonElement detail;
        do
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), patience.Token);
            detail = await client.GetFromJsonAsync<JsonElement>(run, patience.Token);
        } while (detail.GetProperty("summary").GetProperty("state").GetString() is not ("completed" or "failed"));

        Assert.Equal("completed", detail.GetProperty("summary").GetProperty("state").GetString());
        Assert.Contains("<!DOCTYPE html>", await client.GetStringAsync(detail.GetProperty("reportUrl").GetString()));
        Assert.Contains("distributed_extraction_images", await client.GetStringAsync("/metrics"));
        server.Terminate();
        Assert.Equal(143, await server.WaitForExitAsync());
        Assert.DoesNotContain(
            server.Lines,
            line => line.Contains(" warn ", StringComparison.Ordinal) || line.Contains(" error ", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task The_server_says_where_it_is_how_to_submit_a_run_and_how_to_stop_it()
    {
        using var command = new CommandLine();
        var port = FreePort.Next();
        await using var server = CommandLine.Start(["serve", "--urls", $"http://0.0.0.0:{port}", "--volume", command.Volume]);

        await server.WaitForLineAsync(line => line == $"Distributed takes runs at http://127.0.0.1:{port}");
        await server.WaitForLineAsync(line => line.Contains("Ctrl-C", StringComparison.Ordinal));

        Assert.Contains(server.Lines, line => line.Contains($"http://127.0.0.1:{port}/docs", StringComparison.Ordinal));
        Assert.Contains(server.Lines, line => line.EndsWith(command.Volume, StringComparison.Ordinal));
        var submit = Assert.Single(
            server.Lines,
            line => line.Contains("curl", StringComparison.Ordinal) && line.Contains("-d", StringComparison.Ordinal)
        );
        await using var curl = HostProcess.Start("sh", ["-c", submit[submit.IndexOf("curl", StringComparison.Ordinal)..]]);
        Assert.Equal(0, await curl.WaitForExitAsync());
        // It may have begun already.
        Assert.Contains(curl.Lines, line => line.StartsWith("{\"summary\":{\"runId\":", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("grpc")]
    [InlineData("http/protobuf")]
    public async Task A_collector_that_is_not_there_is_named_once_with_the_cause(string protocol)
    {
        using var command = new CommandLine();
        var collector = $"http://127.0.0.1:{FreePort.Next()}";
        await using var server = CommandLine.Start(
            ["serve", "--urls", $"http://127.0.0.1:{FreePort.Next()}", "--volume", command.Volume],
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "200")
        );

        var said = await server.WaitForLineAsync(line => line.Contains("Telemetry does not arrive", StringComparison.Ordinal));

        Assert.Contains($" warn  ServiceDefaults.OtlpWatch: Telemetry does not arrive at {collector}", said, StringComparison.Ordinal);
        Assert.EndsWith("Connection refused", said, StringComparison.Ordinal);
        await server.WaitForLineAsync(line => line.Contains("Ctrl-C", StringComparison.Ordinal));
        server.Terminate();
        await server.WaitForExitAsync();
        Assert.Single(server.Lines, line => line.Contains("Telemetry does not arrive", StringComparison.Ordinal));
    }
}
