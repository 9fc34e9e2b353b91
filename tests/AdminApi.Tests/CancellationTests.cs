using System.Net;
using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Tests;

public sealed class CancellationTests : IAsyncLifetime
{
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_cancelled_run_ends_and_everybody_is_told()
    {
        var run = await _server.SubmitAsync("""{"name":"long"}""");

        using var response = await CancelAsync(run);

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var summary = (await AdminServer.JsonAsync(response)).GetProperty("summary");
        Assert.Equal("cancelled", summary.GetProperty("state").GetString());
        Assert.NotNull(summary.GetProperty("finishedAt").GetString());
        Assert.Equal(new RunCancelled(run, "long"), await _server.EventAsync<RunCancelled>(cancelled => cancelled.RunId == run));
    }

    [Fact]
    public async Task Cancelling_twice_is_the_same_as_once()
    {
        var run = await _server.SubmitAsync();
        using var first = await CancelAsync(run);

        using var second = await CancelAsync(run);

        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.Accepted), (first.StatusCode, second.StatusCode));
        await _server.EventAsync<RunCancelled>(_ => true);
        Assert.Single(_server.Events.Distinct());
    }

    [Theory]
    [InlineData(RunState.Completed)]
    [InlineData(RunState.Failed)]
    public async Task A_run_that_has_ended_cannot_be_cancelled(RunState state)
    {
        var run = await _server.SubmitAsync();
        await _server.QueryAsync(context => context.Runs.ExecuteUpdateAsync(row => row.SetProperty(r => r.State, state)));

        using var response = await CancelAsync(run);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.Conflict);
        Assert.Contains(state.ToString().ToLowerInvariant(), problem.GetProperty("detail").GetString());
        Assert.Equal(state, await _server.QueryAsync(context => context.Runs.Select(row => row.State).SingleAsync()));
    }

    private Task<HttpResponseMessage> CancelAsync(Guid run) => _server.Client.PostAsync($"/api/v1/runs/{run}/cancel", content: null);
}
