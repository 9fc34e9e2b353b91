using System.Text.Json;
using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;
using Distributed.Contracts;
using Spectre.Console;

namespace Distributed.Standalone.Tests;

public sealed class RunDisplayTests
{
    [Fact]
    public async Task What_a_run_waits_for_is_told_once_and_that_it_goes_on()
    {
        using var output = new StringWriter();
        var display = new RunDisplay(AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) }), json: false);

        await display.ShowProgressAsync(report =>
        {
            report(Extracting(waiting: null));
            report(Extracting("No space left on device : 'a.partial'"));
            report(Extracting("No space left on device : 'b.partial'"));
            report(Extracting(waiting: null));
            return Task.FromResult(0);
        });

        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        Assert.EndsWith("Extracting features", lines[0].TrimEnd(), StringComparison.Ordinal);
        Assert.Equal(["Waiting: No space left on device : 'a.partial'", "Going on."], lines[1..]);
    }

    private static RunDetail Extracting(string? waiting)
    {
        using var specification = JsonDocument.Parse("{}");
        return new RunDetail
        {
            Summary = new RunSummary
            {
                RunId = Guid.Empty,
                Tags = [],
                Priority = RunPriority.Interactive,
                State = RunState.Extracting,
                SubmittedAt = DateTime.UnixEpoch,
                Seconds = new StageSeconds(null, null, null, null, null, null),
            },
            Specification = specification.RootElement.Clone(),
            Seconds = new StageSeconds(null, null, null, null, null, null),
            Links = new TelemetryLinks(null, null),
            Waiting = waiting,
        };
    }
}
