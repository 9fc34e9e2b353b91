using System.Net;
using System.Text;
using System.Text.Json;
using Distributed.AdminApi.Webhooks;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Storage;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class WebhookTests : IAsyncLifetime
{
    private static readonly (string, string) Private = ("Webhooks:AllowPrivateAddresses", "true");
    private AdminServer _server = null!;
    private WebhookReceiver _receiver = null!;

    public async ValueTask InitializeAsync() =>
        (_server, _receiver) = (await AdminServer.StartAsync(settings: Private), await WebhookReceiver.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _receiver.DisposeAsync();
    }

    [Fact]
    public async Task A_run_that_ends_is_told_once_with_a_signature_that_the_secret_proves()
    {
        var webhook = await CreateAsync(_server, """["completed","failed"]""");
        var (completed, failed, cancelled) = (
            await _server.SubmitAsync("""{"name":"good"}"""),
            await _server.SubmitAsync("""{"name":"bad"}"""),
            await _server.SubmitAsync()
        );

        await MoveAsync(_server, completed, RunState.Completed);
        await MoveAsync(_server, cancelled, RunState.Cancelled);
        await MoveAsync(_server, failed, RunState.Failed);

        await AdminServer.UntilAsync(() => Task.FromResult(_receiver.Received.Count == 2));
        var secret = webhook.GetProperty("secret").GetString()!;
        Assert.All(_receiver.Received, one => Assert.True(one.IsSignedWith(secret)));
        Assert.All(_receiver.Received, one => Assert.False((one with { Body = one.Body + " " }).IsSignedWith(secret)));
        Assert.All(
            _receiver.Received,
            one => Assert.InRange(one.At, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5))
        );
        var bodies = _receiver.Received.Select(one => JsonDocument.Parse(one.Body).RootElement).ToList();
        Assert.Equal(
            [$"completed {completed} good completed", $"failed {failed} bad failed"],
            bodies
                .Select(body =>
                    string.Join(' ', ((string[])["event", "runId", "name", "state"]).Select(field => body.GetProperty(field).GetString()))
                )
                .Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            "no luck",
            bodies.Single(body => body.GetProperty("event").GetString() == "failed").GetProperty("failure").GetString()
        );
        Assert.Equal(_receiver.Received.Select(one => one.Id), bodies.Select(body => body.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task A_promotion_is_told_with_both_versions()
    {
        await CreateAsync(_server, """["promoted"]""");
        var run = await _server.SubmitAsync();
        await _server.AddAsync(new Model { Name = "flowers", CreatedAt = DateTime.UtcNow }, Version(run, 1));

        using var content = Json("""{"version":1,"reason":"better"}""");
        using var promoted = await _server.Client.PutAsync("/api/v1/models/flowers/aliases/champion", content);

        Assert.Equal(HttpStatusCode.OK, promoted.StatusCode);
        await AdminServer.UntilAsync(() => Task.FromResult(!_receiver.Received.IsEmpty));
        using var body = JsonDocument.Parse(_receiver.Received.Single().Body);
        Assert.Equal(
            "promoted promoted flowers champion better",
            string.Join(
                ' ',
                ((string[])["event", "change", "model", "alias", "reason"]).Select(field => body.RootElement.GetProperty(field).GetString())
            )
        );
        Assert.Equal(1, body.RootElement.GetProperty("to").GetInt32());
        Assert.False(body.RootElement.TryGetProperty("from", out _));
    }

    [Fact]
    public async Task What_is_not_accepted_is_sent_again_with_the_same_id_and_a_redirect_is_not_followed()
    {
        var webhook = await CreateAsync(_server);
        _receiver.Answers.Enqueue(HttpStatusCode.Found);
        await FailAsync(_server);

        await AdminServer.UntilAsync(async () => (await LastAsync(webhook))?.GetProperty("attempts").GetInt32() == 1);
        var first = (await LastAsync(webhook))!.Value;
        Assert.Equal(
            ("pending", 302, "answer 302"),
            (first.GetProperty("state").GetString(), first.GetProperty("status").GetInt32(), first.GetProperty("answer").GetString())
        );
        await HurryAsync(_server);

        await AdminServer.UntilAsync(async () => (await LastAsync(webhook))?.GetProperty("state").GetString() == "delivered");
        Assert.Equal(2, _receiver.Received.Count);
        Assert.Single(_receiver.Received.Select(one => one.Id).Distinct());
        Assert.Single(_receiver.Received.Select(one => one.Body).Distinct());
        Assert.Equal(2, (await LastAsync(webhook))!.Value.GetProperty("attempts").GetInt32());
    }

    [Fact]
    public async Task What_is_not_accepted_for_a_day_is_dead()
    {
        var webhook = await CreateAsync(_server);
        _receiver.Answers.Enqueue(HttpStatusCode.InternalServerError);
        _receiver.Answers.Enqueue(HttpStatusCode.InternalServerError);
        await FailAsync(_server);
        await AdminServer.UntilAsync(async () => (await LastAsync(webhook))?.GetProperty("attempts").GetInt32() == 1);
        await _server.QueryAsync(context =>
            context.WebhookDeliveries.ExecuteUpdateAsync(row => row.SetProperty(d => d.CreatedAt, DateTime.UtcNow.AddHours(-25)))
        );

        await HurryAsync(_server);

        await AdminServer.UntilAsync(async () => (await LastAsync(webhook))?.GetProperty("state").GetString() == "dead");
        Assert.Equal(JsonValueKind.Null, (await LastAsync(webhook))!.Value.GetProperty("nextAt").ValueKind);
        await HurryAsync(_server);
        await _server
            .Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>()
            .OfType<WebhookSender>()
            .Single()
            .RunOnceAsync(CancellationToken.None);
        Assert.Equal(2, _receiver.Received.Count);
    }

    [Fact]
    public void Pauses_between_attempts_double_up_to_an_hour()
    {
        Assert.Equal([5, 10, 20, 40], Enumerable.Range(1, 4).Select(attempts => WebhookSender.PauseAfter(attempts).TotalSeconds));
        Assert.Equal([2560, 3600, 3600], ((int[])[10, 11, 1_000_000]).Select(attempts => WebhookSender.PauseAfter(attempts).TotalSeconds));
    }

    [Fact]
    public async Task The_secret_is_shown_once_and_only_operators_see_webhooks()
    {
        var webhook = await CreateAsync(_server);

        Assert.StartsWith("whsec_", webhook.GetProperty("secret").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(
            webhook.GetProperty("secret").GetString()!["whsec_".Length..],
            (await _server.GetAsync("/api/v1/webhooks")).GetRawText(),
            StringComparison.Ordinal
        );
        await using var guarded = await AdminServer.StartAsync(settings: ("Api:Keys", "required"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/webhooks");
        var reader = await guarded
            .Services.GetRequiredService<Access.ApiKeyStore>()
            .CreateAsync("reader", ApiRole.Reader, AuditActor.Account, CancellationToken.None);
        request.Headers.Add("X-Api-Key", reader!.Reveal());
        using var response = await guarded.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Theory]
    [InlineData("""{"url":"ftp://example.org"}""", "url")]
    [InlineData("""{"url":"nowhere"}""", "url")]
    [InlineData("""{}""", "url")]
    [InlineData("""{"url":"https://me:secret@example.org"}""", "url")]
    [InlineData("""{"url":"https://example.org","events":[]}""", "events")]
    public async Task A_wrong_webhook_is_refused_by_field(string body, string field)
    {
        using var content = Json(body);
        using var response = await _server.Client.PostAsync("/api/v1/webhooks", content);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _));
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/")]
    [InlineData("http://localhost/")]
    [InlineData("http://[::1]/")]
    [InlineData("http://10.1.2.3/")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    public async Task An_address_of_this_network_is_refused_unless_it_is_allowed(string url)
    {
        await using var server = await AdminServer.StartAsync();

        using var content = Json($$"""{"url":"{{url}}"}""");
        using var response = await server.Client.PostAsync("/api/v1/webhooks", content);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        Assert.Contains("Webhooks__AllowPrivateAddresses", problem.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_leads_to_this_machine_is_not_asked()
    {
        await using var server = await AdminServer.StartAsync();
        // Past the check of the request, as a name that is changed later is.
        var id = Guid.CreateVersion7();
        await server.AddAsync(
            new Webhook
            {
                Id = id,
                Url = _receiver.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal),
                Events = ["Failed"],
                Secret = "AA==",
                CreatedAt = DateTime.UtcNow,
                CreatedBy = "me",
            },
            new WebhookDelivery
            {
                Id = Guid.CreateVersion7(),
                WebhookId = id,
                Event = WebhookEvent.Failed,
                Body = "{}",
                CreatedAt = DateTime.UtcNow,
                NextAt = DateTime.UtcNow.AddSeconds(-1),
            },
            new WebhookCursor { TransactionId = 0, ChangeId = 1 }
        );

        await AdminServer.UntilAsync(() =>
            server.QueryAsync(context => context.WebhookDeliveries.AnyAsync(row => row.Attempts == 1 && row.Answer != null))
        );

        var delivery = await server.QueryAsync(context => context.WebhookDeliveries.AsNoTracking().SingleAsync());
        Assert.Contains("public addresses only", delivery.Answer, StringComparison.Ordinal);
        Assert.Empty(_receiver.Received);
    }

    [Fact]
    public async Task A_webhook_that_is_removed_is_told_nothing_more_and_both_stand_in_the_audit_log()
    {
        var webhook = await CreateAsync(_server);
        using var removed = await _server.Client.DeleteAsync($"/api/v1/webhooks/{webhook.GetProperty("id").GetString()}");
        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);

        await FailAsync(_server);
        await _server
            .Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>()
            .OfType<WebhookSender>()
            .Single()
            .RunOnceAsync(CancellationToken.None);

        Assert.Empty(_receiver.Received);
        using var again = await _server.Client.DeleteAsync($"/api/v1/webhooks/{webhook.GetProperty("id").GetString()}");
        Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
        var audit = await _server.GetAsync($"/api/v1/audit?subject={webhook.GetProperty("id").GetString()}");
        Assert.Equal(
            ["webhookDeleted", "webhookCreated"],
            audit.GetProperty("items").EnumerateArray().Select(entry => entry.GetProperty("action").GetString())
        );
    }

    [Fact]
    public async Task Several_hosts_on_one_catalog_send_each_delivery_once_also_what_was_planned_while_none_was_there()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using (var first = await StartAsync(database))
        {
            await CreateAsync(first);
        }

        await using (var context = Context(database))
        {
            context.Runs.AddRange(Enumerable.Range(0, 20).Select(number => Failed($"{number}")));
            await context.SaveChangesAsync();
        }

        await using var one = await StartAsync(database);
        await using var other = await StartAsync(database);

        await AdminServer.UntilAsync(() => Task.FromResult(_receiver.Received.Count >= 20));
        await one
            .Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>()
            .OfType<WebhookSender>()
            .Single()
            .RunOnceAsync(CancellationToken.None);
        Assert.Equal(
            Enumerable.Range(0, 20).Select(number => $"{number}").Order(StringComparer.Ordinal),
            _receiver
                .Received.Select(received => JsonDocument.Parse(received.Body).RootElement.GetProperty("name").GetString())
                .Order(StringComparer.Ordinal)
        );
    }

    private static async Task<AdminServer> StartAsync(PostgresDatabase database)
    {
        var server = await AdminServer.StartAsync(database.ConnectionString, Private);
        await server.Services.GetRequiredService<CatalogMigration>().Ready.WaitAsync(TimeSpan.FromSeconds(60));
        return server;
    }

    private static PostgresCatalogContext Context(PostgresDatabase database) =>
        new(
            new DbContextOptionsBuilder<PostgresCatalogContext>()
                .UseNpgsql(database.ConnectionString)
                .UseSnakeCaseNamingConvention()
                .Options
        );

    private async Task<JsonElement> CreateAsync(AdminServer server, string? events = null)
    {
        using var content = Json($$"""{"url":"{{_receiver.Url}}"{{(events is null ? "" : $",\"events\":{events}")}}}""");
        using var response = await server.Client.PostAsync("/api/v1/webhooks", content);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        return await AdminServer.JsonAsync(response);
    }

    private async Task<JsonElement?> LastAsync(JsonElement webhook)
    {
        var deliveries = await _server.GetAsync($"/api/v1/webhooks/{webhook.GetProperty("id").GetString()}/deliveries");
        var tried = deliveries
            .GetProperty("items")
            .EnumerateArray()
            .Where(one => one.GetProperty("triedAt").ValueKind != JsonValueKind.Null)
            .ToList();
        return tried.Count == 0 ? null : tried[0];
    }

    private static Task FailAsync(AdminServer server) => server.AddAsync(Failed("failed"));

    private static Run Failed(string name) =>
        new()
        {
            Id = Guid.NewGuid(),
            Name = name,
            Tags = [],
            Specification = "{}",
            State = RunState.Failed,
            Failure = "no luck",
            SubmittedAt = DateTime.UtcNow,
            FinishedAt = DateTime.UtcNow,
            EndPublishedAt = DateTime.UtcNow,
        };

    /// <summary>Makes what waits for its next attempt due.</summary>
    private static Task<int> HurryAsync(AdminServer server) =>
        server.QueryAsync(context =>
            context.WebhookDeliveries.ExecuteUpdateAsync(row => row.SetProperty(d => d.NextAt, DateTime.UtcNow.AddSeconds(-1)))
        );

    private static Task<int> MoveAsync(AdminServer server, Guid run, RunState state) =>
        server.QueryAsync(context =>
            context
                .Runs.Where(row => row.Id == run)
                .ExecuteUpdateAsync(row =>
                    row.SetProperty(r => r.State, state)
                        .SetProperty(r => r.Failure, state == RunState.Failed ? "no luck" : null)
                        .SetProperty(r => r.EndPublishedAt, DateTime.UtcNow)
                )
        );

    private static ModelVersion Version(Guid run, int number) =>
        new()
        {
            ModelName = "flowers",
            Number = number,
            RunId = run,
            Head = new StoredFile("head", 1, "00"),
            Lineage = "{}",
            CreatedAt = DateTime.UtcNow,
            CreatedBy = "me",
        };

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");
}
