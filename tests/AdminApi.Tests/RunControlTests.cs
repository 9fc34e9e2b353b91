using System.Net;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class RunControlTests : IAsyncLifetime
{
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_cancelled_run_that_is_retried_is_open_again_and_its_next_end_is_told()
    {
        var run = await _server.SubmitAsync("""{"name":"again"}""");
        await SendAsync(HttpMethod.Post, $"{run}/cancel", HttpStatusCode.Accepted);
        await _server.EventAsync<RunCancelled>(_ => true);

        using var response = await _server.Client.PostAsync($"/api/v1/runs/{run}/retry", content: null);

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("submitted", (await AdminServer.JsonAsync(response)).GetProperty("summary").GetProperty("state").GetString());
        await SendAsync(HttpMethod.Post, $"{run}/retry", HttpStatusCode.Accepted);
        await SendAsync(HttpMethod.Post, $"{run}/cancel", HttpStatusCode.Accepted);
        await AdminServer.UntilAsync(() => Task.FromResult(_server.Events.Count >= 2));
    }

    [Fact]
    public async Task A_run_that_is_complete_or_was_refused_cannot_be_retried()
    {
        var complete = await _server.SubmitAsync();
        await SetStateAsync(complete, RunState.Completed);
        var refused = Guid.NewGuid();
        await _server.AddAsync(
            new Run
            {
                Id = refused,
                Tags = [],
                Specification = "{}",
                SubmittedAt = DateTime.UtcNow,
                State = RunState.Failed,
            }
        );

        Assert.Contains(
            "submit",
            (await SendAsync(HttpMethod.Post, $"{complete}/retry", HttpStatusCode.Conflict))!,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "submit",
            (await SendAsync(HttpMethod.Post, $"{refused}/retry", HttpStatusCode.Conflict))!,
            StringComparison.Ordinal
        );
        await SendAsync(HttpMethod.Post, $"{Guid.NewGuid()}/retry", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task An_open_run_cannot_be_deleted_and_an_ended_one_goes_with_its_files()
    {
        var run = await _server.SubmitAsync(key: "mine");
        var directory = _server.Services.GetRequiredService<Volume>().FullPath($"runs/{run:D}");
        Directory.CreateDirectory(directory);
        await File.WriteAllTextAsync(Path.Combine(directory, "report.html"), "report");
        Assert.Contains(
            "Cancel it first",
            (await SendAsync(HttpMethod.Delete, $"{run}", HttpStatusCode.Conflict))!,
            StringComparison.Ordinal
        );
        await SendAsync(HttpMethod.Post, $"{run}/cancel", HttpStatusCode.Accepted);

        await SendAsync(HttpMethod.Delete, $"{run}", HttpStatusCode.NoContent);

        Assert.False(Directory.Exists(directory));
        await SendAsync(HttpMethod.Get, $"{run}", HttpStatusCode.NotFound);
        await SendAsync(HttpMethod.Delete, $"{run}", HttpStatusCode.NotFound);
        Assert.NotEqual(run, await _server.SubmitAsync(key: "mine"));
    }

    [Fact]
    public async Task A_run_says_its_priority_and_its_deadline()
    {
        var asked = DateTime.UtcNow;
        var run = await _server.SubmitAsync("""{"priority":"bulk","timeLimit":3600}""");
        var answered = DateTime.UtcNow;

        var summary = (await _server.GetAsync($"/api/v1/runs/{run}")).GetProperty("summary");

        Assert.Equal("bulk", summary.GetProperty("priority").GetString());
        // A database keeps milliseconds.
        Assert.InRange(summary.GetProperty("deadline").GetDateTime().AddHours(-1), asked.AddMilliseconds(-1), answered);
    }

    [Fact]
    public async Task A_run_past_its_time_limit_is_failed_by_the_watchdog_and_everybody_is_told()
    {
        var run = await _server.SubmitAsync("""{"timeLimit":1}""");

        var failed = await _server.EventAsync<RunFailed>(failed => failed.RunId == run);

        Assert.Contains("time limit of 1 s was reached while the run was submitted", failed.Reason, StringComparison.Ordinal);
    }

    private Task<int> SetStateAsync(Guid id, RunState state) =>
        _server.QueryAsync(context =>
            context.Runs.Where(run => run.Id == id).ExecuteUpdateAsync(row => row.SetProperty(r => r.State, state))
        );

    /// <summary>The detail of the problem, where the answer is one.</summary>
    private async Task<string?> SendAsync(HttpMethod method, string path, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(method, $"/api/v1/runs/{path}");
        using var response = await _server.Client.SendAsync(request);
        Assert.Equal(expected, response.StatusCode);
        return expected >= HttpStatusCode.BadRequest ? (await AdminServer.JsonAsync(response)).GetProperty("detail").GetString() : null;
    }
}
