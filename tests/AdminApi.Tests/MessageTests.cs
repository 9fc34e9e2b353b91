using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using MassTransit;
using MassTransit.Serialization;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class MessageTests : IAsyncLifetime
{
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_run_that_comes_as_a_message_is_a_run_under_the_senders_id()
    {
        var id = Guid.NewGuid();
        await PublishAsync(id, """{"name":"by message","seed":7}""");

        var run = await FindAsync(id);
        Assert.Equal(("by message", RunState.Submitted), (run.Name, run.State));
        Assert.Equal(7, JsonDocument.Parse(run.Specification).RootElement.GetProperty("seed").GetInt32());
        Assert.Equal(1, await _server.QueryAsync(context => context.Jobs.CountAsync(job => job.Scope == id.ToString())));
    }

    [Fact]
    public async Task The_same_message_twice_is_one_run()
    {
        var (repeated, last) = (Guid.NewGuid(), Guid.NewGuid());
        await PublishAsync(repeated, """{"seed":7}""");
        await PublishAsync(repeated, """{"seed":7}""");
        await PublishAsync(repeated, """{"seed":8}""");
        await PublishAsync(last, "{}");

        // Submissions are taken one after the other: what came before the last one is through.
        await FindAsync(last);
        var run = await _server.QueryAsync(context => context.Runs.SingleAsync(row => row.Id == repeated));
        Assert.Contains("\"seed\":7", run.Specification);
        Assert.Equal(1, await _server.QueryAsync(context => context.Jobs.CountAsync(job => job.Scope == repeated.ToString())));
    }

    [Theory]
    [InlineData("""{"training":{"epochs":0},"inputSize":1}""", "inputSize", "training.epochs")]
    [InlineData("""{"epochs":3}""", "epochs", "did you mean training.epochs?")]
    [InlineData("null", "specification", "null")]
    public async Task An_invalid_specification_by_message_is_a_failed_run_that_says_why_and_is_published(
        string specification,
        params string[] named
    )
    {
        var id = Guid.NewGuid();
        await PublishAsync(id, specification);

        var published = await _server.EventAsync<RunFailed>(failed => failed.RunId == id);
        var run = await FindAsync(id);
        Assert.Equal((RunState.Failed, published.Reason), (run.State, run.Failure));
        Assert.All(named, name => Assert.Contains(name, run.Failure));
        Assert.Equal(0, await _server.QueryAsync(context => context.Jobs.CountAsync()));
    }

    [Fact]
    public async Task A_message_without_a_specification_is_a_failed_run_that_says_so()
    {
        var id = Guid.NewGuid();
        var endpoint = await _server.Services.GetRequiredService<IBus>().GetSendEndpoint(new Uri("queue:submit-run"));
        await endpoint.Send(new SubmitRun(id, default), context => context.Serializer = new WithoutSpecification(id));

        await _server.EventAsync<RunFailed>(failed => failed.RunId == id);
        Assert.Equal(
            "The specification is not valid: specification is missing; give a JSON object, {} for the sample run.",
            (await FindAsync(id)).Failure
        );
    }

    [Fact]
    public async Task An_invalid_specification_sent_again_changes_nothing()
    {
        var (id, last) = (Guid.NewGuid(), Guid.NewGuid());
        await PublishAsync(id, """{"topK":0}""");
        await PublishAsync(id, """{"topK":0}""");
        await PublishAsync(last, "{}");

        await FindAsync(last);
        await _server.EventAsync<RunFailed>(_ => true);
        // The watchdog may publish it at the same moment: an event comes at least once.
        Assert.Single(_server.Events.Distinct());
        Assert.Equal(RunState.Failed, (await FindAsync(id)).State);
    }

    /// <summary>What a program in another language may send.</summary>
    private sealed class WithoutSpecification(Guid id) : IMessageSerializer
    {
        public System.Net.Mime.ContentType ContentType { get; } = new("application/json");

        public MessageBody GetMessageBody<T>(SendContext<T> context)
            where T : class => new StringMessageBody($$"""{"runId":"{{id}}"}""");
    }

    private async Task<Run> FindAsync(Guid id)
    {
        Run? found = null;
        await AdminServer.UntilAsync(async () =>
            (found = await _server.QueryAsync(context => context.Runs.AsNoTracking().SingleOrDefaultAsync(run => run.Id == id))) is not null
        );
        return found!;
    }

    private async Task PublishAsync(Guid id, string specification)
    {
        using var document = JsonDocument.Parse(specification);
        await _server.Services.GetRequiredService<IBus>().Publish(new SubmitRun(id, document.RootElement.Clone()));
    }
}
