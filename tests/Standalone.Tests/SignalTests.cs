using Distributed.TestServers;

namespace Distributed.Standalone.Tests;

public sealed class SignalTests : IDisposable
{
    private readonly CommandLine _command = new();

    public void Dispose() => _command.Dispose();

    [Theory]
    [InlineData("run", "INT", 130)]
    [InlineData("run", "TERM", 143)]
    [InlineData("serve", "INT", 130)]
    [InlineData("serve", "TERM", 143)]
    [InlineData("Ingestion", "INT", 130)]
    [InlineData("Ingestion", "TERM", 143)]
    public async Task The_first_signal_ends_a_process_in_order_and_the_second_at_once(string what, string signal, int status)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent as Linux has them.");
        await using (var once = await BeginAsync(what))
        {
            await SignalAsync(once, signal);

            Assert.Equal(status, await once.WaitForExitAsync());
            AssertNoTrace(once);
        }

        await using var often = await BeginAsync(what);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!often.HasExited)
        {
            // Signals that are pending become one, so a second one may be part of the first.
            await SignalAsync(often, signal);
            patience.Token.ThrowIfCancellationRequested();
        }

        Assert.Equal(status, await often.WaitForExitAsync());
        AssertNoTrace(often);
    }

    private async Task<HostProcess> BeginAsync(string what)
    {
        var volume = Path.Combine(_command.Root, Guid.NewGuid().ToString("N"));
        var process = what switch
        {
            "run" => CommandLine.StartInterruptible([
                "run",
                "--volume",
                volume,
                "--input-size",
                "32",
                "--precision",
                "fp32",
                "--epochs",
                "10000",
                "--patience",
                "10000",
            ]),
            "serve" => CommandLine.StartInterruptible(["serve", "--urls", $"http://127.0.0.1:{FreePort.Next()}", "--volume", volume]),
            _ => HostProcess.Start(
                "env",
                ["--default-signal=INT", "dotnet", TestEnvironment.ServiceDll(what)],
                new Dictionary<string, string?>
                {
                    ["ConnectionStrings__Catalog"] = $"Data Source={volume}.db",
                    ["ConnectionStrings__RabbitMq"] = "in-memory",
                    ["Volume__Root"] = volume,
                    ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{FreePort.Next()}",
                }
            ),
        };
        await process.WaitForLineAsync(
            line => line.Contains(what == "run" ? "Training the head" : "Now listening on", StringComparison.Ordinal),
            TimeSpan.FromSeconds(60)
        );
        return process;
    }

    private static async Task SignalAsync(HostProcess process, string signal)
    {
        // A process that has ended meanwhile is no error here.
        using var kill = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("kill", [$"-{signal}", $"{process.Id}"])
            {
                RedirectStandardError = true,
                UseShellExecute = false,
            }
        )!;
        await kill.WaitForExitAsync();
    }

    private static void AssertNoTrace(HostProcess process) =>
        Assert.DoesNotContain(
            process.Lines,
            line =>
                line.TrimStart().StartsWith("at ", StringComparison.Ordinal)
                || line.Contains("Unhandled exception", StringComparison.Ordinal)
        );
}
