using System.Diagnostics;
using System.Globalization;
using Distributed.TestServers;

namespace Distributed.Compose.Tests;

/// <summary>The systems of this test run: one that nothing happens to, and one that is harmed. Each comes up when a test first asks for it.</summary>
public sealed class Stacks : IAsyncDisposable
{
    private readonly Lazy<Task<Deployment>> _undisturbed;
    private readonly Lazy<Task<Deployment>> _harmed;

    public Stacks()
    {
        _undisturbed = new(() => StartAsync("docker compose up --build -d", trainers: 1));
        _harmed = new(async () =>
        {
            // The images are built then.
            await _undisturbed.Value;
            return await StartAsync("--scale training=3", trainers: 3);
        });
        KilledOutcome = new(() => OutcomeAsync(Specifications.Killed));
        RestartedOutcome = new(() => OutcomeAsync(Specifications.Restarted));
    }

    /// <summary>What <see cref="Specifications.Killed"/> comes to where nothing happens.</summary>
    internal Lazy<Task<Outcome>> KilledOutcome { get; }

    /// <summary>What <see cref="Specifications.Restarted"/> comes to where nothing happens.</summary>
    internal Lazy<Task<Outcome>> RestartedOutcome { get; }

    /// <summary>The system that nothing happens to.</summary>
    internal Task<Deployment> UndisturbedAsync() => _undisturbed.Value;

    /// <summary>The system that is harmed; each test leaves it as it found it, up and ready, but for the number of trainers.</summary>
    internal Task<Deployment> HarmedAsync() => _harmed.Value;

    public async ValueTask DisposeAsync()
    {
        foreach (var stack in new[] { _harmed, _undisturbed }.Where(stack => stack.IsValueCreated && stack.Value.IsCompletedSuccessfully))
        {
            await (await stack.Value).DisposeAsync();
        }
    }

    private async Task<Outcome> OutcomeAsync(object specification)
    {
        var deployment = await UndisturbedAsync();
        return await deployment.OutcomeAsync(await deployment.SubmitAsync(specification));
    }

    /// <param name="command">Which of the documented commands brings it up.</param>
    /// <param name="trainers">How many trainers that starts.</param>
    private static async Task<Deployment> StartAsync(string command, int trainers)
    {
        var deployment = Deployment.Create();
        try
        {
            var commands = Documentation.Commands("README.md", "As a system")[0];
            await deployment.ShellAsync(Documentation.Line(commands, "infra/scripts/secrets.sh"));
            var clock = Stopwatch.StartNew();
            await deployment.ShellAsync("docker compose build");
            Engine.Note(string.Create(CultureInfo.InvariantCulture, $"images built in {clock.Elapsed.TotalSeconds:F0} s"));
            clock.Restart();
            var line = commands
                .Split('\n')
                .First(line => line.Contains(command, StringComparison.Ordinal) && !line.Contains("--profile", StringComparison.Ordinal));
            await deployment.ShellAsync(line);
            await deployment.WaitForReadyAsync(trainers);
            Engine.Note(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"up until all are ready, {trainers} trainer(s): {clock.Elapsed.TotalSeconds:F0} s"
                )
            );
            await deployment.CreateKeyAsync();
            return deployment;
        }
        catch
        {
            await deployment.DisposeAsync();
            throw;
        }
    }
}

/// <summary>
/// Runs that take long enough to be harmed. fp32, so that no measurement decides between two arithmetics; sizes that no other run here has, so that the
/// features are not there already.
/// </summary>
internal static class Specifications
{
    public static object Killed { get; } = Train(inputSize: 100, epochs: 500);

    public static object Restarted { get; } = Train(inputSize: 64, epochs: 500);

    private static object Train(int inputSize, int epochs) =>
        new
        {
            dataset = "sample",
            inputSize,
            precision = "fp32",
            head = new
            {
                kind = "mlp",
                hiddenSizes = new[] { 512 },
                dropout = 0.5,
            },
            training = new { epochs, patience = epochs },
        };
}
