using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Distributed.TestServers.Tests;

public sealed class HostProcessTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task Lines_of_both_streams_are_captured_and_the_exit_status_is_told()
    {
        await using var process = Shell("echo out; echo err >&2; exit 3");

        Assert.Equal(3, await process.WaitForExitAsync());
        Assert.Equal(["err", "out"], process.Lines.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_environment_is_added_to_and_taken_from()
    {
        await using var process = HostProcess.Start(
            "/bin/sh",
            ["-c", "echo \"$ADDED ${HOME-none}\""],
            new Dictionary<string, string?> { ["ADDED"] = "value", ["HOME"] = null }
        );

        Assert.Equal("value none", await process.WaitForLineAsync(_ => true));
    }

    [Fact]
    public async Task A_line_is_found_whether_it_came_already_or_comes_later()
    {
        await using var process = Shell("echo one; echo two; exec sleep 60");
        await process.WaitForLineAsync(line => line == "two");

        Assert.Equal("one", await process.WaitForLineAsync(line => line == "one"));
    }

    [Fact]
    public async Task Waiting_can_begin_after_the_lines_so_far()
    {
        await using var process = Shell("trap 'echo again' TERM; echo again; while :; do sleep 0.05; done");
        await process.WaitForLineAsync(line => line == "again");
        var position = process.Position;
        await Assert.ThrowsAsync<TimeoutException>(() => process.WaitForLineAsync(line => line == "again", Short, position));

        process.Terminate();

        await process.WaitForLineAsync(line => line == "again", from: position);
        Assert.Equal(2, process.Position);
    }

    [Fact]
    public async Task Old_lines_are_dropped()
    {
        await using var process = Shell($"i=0; while [ $i -lt {HostProcess.KeptLines + 5} ]; do echo $i; i=$((i + 1)); done");

        await process.WaitForExitAsync();

        Assert.Equal(HostProcess.KeptLines, process.Lines.Count);
        Assert.Equal("5", process.Lines[0]);
        Assert.Equal(HostProcess.KeptLines + 5, process.Position);
    }

    [Fact]
    public async Task A_process_that_ends_without_the_line_is_reported_at_once_with_its_output()
    {
        await using var process = Shell("echo the reason; exit 7");

        var e = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            process.WaitForLineAsync(line => line == "ready", TimeSpan.FromMinutes(5))
        );

        Assert.Contains("the reason", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_line_that_does_not_come_is_a_timeout_with_the_output()
    {
        await using var process = Shell("echo busy; exec sleep 60");
        await process.WaitForLineAsync(line => line == "busy");

        var e = await Assert.ThrowsAsync<TimeoutException>(() => process.WaitForLineAsync(line => line == "ready", Short));

        Assert.Contains("busy", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kill_leaves_no_chance_and_terminate_does()
    {
        const string script = "trap 'echo released; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
        await using var killed = Shell(script);
        await using var terminated = Shell(script);
        await killed.WaitForLineAsync(line => line == "ready");
        await terminated.WaitForLineAsync(line => line == "ready");

        killed.Kill();
        terminated.Terminate();

        Assert.Equal(137, await killed.WaitForExitAsync());
        Assert.Equal(5, await terminated.WaitForExitAsync());
        Assert.DoesNotContain("released", killed.Lines);
        Assert.Contains("released", terminated.Lines);
    }

    [Fact]
    public async Task A_paused_process_stands_still_until_it_is_continued()
    {
        await using var process = Shell("i=0; while :; do i=$((i + 1)); echo $i; done");
        await process.WaitForLineAsync(line => line == "10");

        process.Pause();

        await UntilAsync(() => State(process.Id) == 'T');
        process.Continue();
        await UntilAsync(() => State(process.Id) != 'T');
        var position = process.Position;
        await process.WaitForLineAsync(_ => true, from: position);
    }

    [Fact]
    public async Task Disposal_kills_even_a_paused_process_and_what_it_started()
    {
        var process = Shell("sleep 60 & echo $!; wait");
        var child = int.Parse(await process.WaitForLineAsync(_ => true), CultureInfo.InvariantCulture);
        process.Pause();

        await process.DisposeAsync();

        Assert.False(IsRunning(process.Id));
        await UntilAsync(() => !IsRunning(child));
    }

    [Fact]
    public async Task Signals_to_an_ended_process_do_nothing()
    {
        await using var process = Shell("exit 0");
        await process.WaitForExitAsync();

        process.Pause();
        process.Kill();

        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public async Task A_service_runs_from_its_assembly()
    {
        await using var process = HostProcess.StartService(typeof(HostProcessTests).Assembly.Location, ["-list", "methods"]);

        await process.WaitForLineAsync(line => line.Contains(nameof(A_service_runs_from_its_assembly), StringComparison.Ordinal));

        Assert.Equal(0, await process.WaitForExitAsync());
        Assert.Equal("Distributed.TestServers.Tests", process.Name);
    }

    [Fact]
    public async Task Healthy_is_the_first_success()
    {
        await using var process = Shell("exec sleep 60");
        var uri = new Uri($"http://127.0.0.1:{FreePort.Next()}/health/ready/");
        var healthy = process.WaitForHealthyAsync(uri);
        using var server = new HttpListener { Prefixes = { uri.ToString() } };
        server.Start();
        foreach (var status in new[] { 503, 503, 200 })
        {
            Assert.False(healthy.IsCompleted);
            var context = await server.GetContextAsync().WaitAsync(TimeSpan.FromSeconds(30));
            context.Response.StatusCode = status;
            context.Response.Close();
        }

        await healthy;
    }

    [Fact]
    public async Task Waiting_for_health_ends_with_the_process_and_with_the_time()
    {
        var uri = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        await using var ended = Shell("echo no configuration; exit 1");
        await using var mute = Shell("exec sleep 60");

        var failed = await Assert.ThrowsAsync<InvalidOperationException>(() => ended.WaitForHealthyAsync(uri));
        await Assert.ThrowsAsync<TimeoutException>(() => mute.WaitForHealthyAsync(uri, Short));

        Assert.Contains("exit status 1", failed.Message, StringComparison.Ordinal);
    }

    private static HostProcess Shell(string script) => HostProcess.Start("/bin/sh", ["-c", script]);

    private static bool IsRunning(int id) => State(id) is not (null or 'Z');

    private static char? State(int id)
    {
        try
        {
            // "ID (NAME) STATE ..."
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return stat[stat.LastIndexOf(')') + 2];
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), "not within 30 s");
            await Task.Delay(10);
        }
    }
}
