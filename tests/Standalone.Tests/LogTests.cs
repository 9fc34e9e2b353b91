using System.Text.Json;
using System.Text.RegularExpressions;

namespace Distributed.Standalone.Tests;

public sealed partial class LogTests : IDisposable
{
    private readonly CommandLine _command = new();

    public void Dispose() => _command.Dispose();

    [Fact]
    public async Task A_run_is_a_handful_of_lines_with_its_id_and_its_trace_and_its_jobs_are_for_whoever_wants_details()
    {
        var ended = await _command.ExecuteAsync(_command.Run("--verbose", "--name", "told"));

        Assert.Equal(0, ended.Code);
        var lines = ended.Errors.Select(line => Line().Match(line)).ToList();
        Assert.All(lines, line => Assert.True(line.Success, line.Value));
        Assert.DoesNotContain(lines, line => line.Groups["level"].Value is not ("debug" or "info"));
        Assert.All(
            lines,
            line =>
                Assert.Matches(
                    "^(AdminApi|Catalog|Ingestion|Jobs|Messaging|Pipeline|Training|Evaluation)\\.",
                    line.Groups["category"].Value
                )
        );
        var told = lines.Where(line => line.Groups["level"].Value == "info").ToList();
        Assert.Collection(
            told.Select(line => line.Groups["said"].Value),
            said => Assert.StartsWith("Run accepted: told, data set sample, backbone demo run=", said, StringComparison.Ordinal),
            said => Assert.StartsWith("Data set ready: 200 images of 10 classes, 0 files skipped, after ", said, StringComparison.Ordinal),
            said => Assert.StartsWith("Features ready: computed, after ", said, StringComparison.Ordinal),
            said => Assert.StartsWith("Head trained on 90 images, after ", said, StringComparison.Ordinal),
            said => Assert.Matches(@"^Run completed: accuracy \d+\.\d % on 100 test images, after \d+\.\d s run=", said)
        );
        var run = Assert.Single(await _command.ReadRunsAsync());
        Assert.All(
            told,
            line => Assert.EndsWith($" run={run.Id:D} trace={run.TraceParent!.Split('-')[1]}", line.Value, StringComparison.Ordinal)
        );
        Assert.Contains(
            lines,
            line => line.Groups["said"].Value.StartsWith($"TrainHead {run.Id:D}/0 #0 is completed after ", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Programs_read_the_log_as_json_and_a_run_that_fails_is_one_warning_with_the_reason()
    {
        var ended = await _command.ExecuteAsync(
            _command.Run("--verbose", "--dataset", Path.Combine(_command.Root, "nowhere")),
            ("Logging__Format", "json")
        );

        Assert.Equal(1, ended.Code);
        var entries = ended.Errors.SkipLast(1).Select(CommandLine.Parse).ToList();
        var run = Assert.Single(await _command.ReadRunsAsync());
        var warning = Assert.Single(entries, entry => entry.GetProperty("level").GetString() is not ("debug" or "info"));
        Assert.Equal("warn", warning.GetProperty("level").GetString());
        Assert.Equal("Distributed.Messaging.RunEventPublisher", warning.GetProperty("category").GetString());
        Assert.Equal(
            (run.Id, run.TraceParent!.Split('-')[1]),
            (warning.GetProperty("run").GetGuid(), warning.GetProperty("trace").GetString())
        );
        Assert.Matches("^Run failed after .* s: .*nowhere", warning.GetProperty("message").GetString());
        Assert.Equal(run.Failure, warning.GetProperty("values").GetProperty("Reason").GetString());
        Assert.Equal(JsonValueKind.Number, warning.GetProperty("values").GetProperty("Seconds").ValueKind);
        Assert.True(warning.GetProperty("time").GetDateTimeOffset() > DateTimeOffset.UtcNow.AddMinutes(-5));
    }

    [GeneratedRegex(
        @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?<level>[a-z]+) +(?<category>\S+): (?<said>.+)$",
        RegexOptions.ExplicitCapture,
        1000
    )]
    private static partial Regex Line();
}
