using System.Net;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Tests;

/// <summary>What can be changed after it was made: by one at a time, and nobody's change is lost.</summary>
public sealed class ConcurrentChangeTests : IAsyncLifetime
{
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Name_tags_and_note_of_a_run_are_changed_and_found_and_the_change_is_in_the_audit_log(bool isPostgres)
    {
        await using var database = isPostgres ? await PostgresDatabase.CreateAsync() : null;
        await using var server = await AdminServer.StartAsync(database?.ConnectionString);
        await AdminServer.UntilAsync(async () => (await server.Client.GetAsync("/health/ready")).IsSuccessStatusCode);
        var run = CatalogRows.Run(new RunSpecification { Name = "first", Tags = ["old"] });
        await server.AddAsync(run);
        var tag = await TagOfAsync(server, $"/api/v1/runs/{run.Id}");

        using var response = await SendAsync(
            server,
            HttpMethod.Patch,
            $"/api/v1/runs/{run.Id}",
            """{"tags": ["new", "b"], "note": "two\nlines"}""",
            tag
        );

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.NotEqual(tag, response.Headers.ETag!.ToString());
        var summary = (await AdminServer.JsonAsync(response)).GetProperty("summary");
        Assert.Equal(
            ("first", "two\nlines", "new"),
            (summary.GetProperty("name").GetString(), summary.GetProperty("note").GetString(), summary.GetProperty("tags")[0].GetString())
        );
        Assert.Single((await server.GetAsync("/api/v1/runs?tag=new")).GetProperty("items").EnumerateArray());
        var entry = await server.QueryAsync(context => context.AuditLog.SingleAsync(one => one.Action == AuditAction.RunEdited));
        Assert.Equal(($"{run.Id:D}", "tags: new, b; note"), (entry.Subject, entry.Detail));
    }

    [Fact]
    public async Task A_change_without_the_version_that_it_is_of_is_refused_and_one_of_an_earlier_version_too()
    {
        var run = CatalogRows.Run();
        await _server.AddAsync(run);
        var path = $"/api/v1/runs/{run.Id}";
        var tag = await TagOfAsync(_server, path);

        using var blind = await SendAsync(_server, HttpMethod.Patch, path, """{"name": "a"}""", tag: null);
        var missing = await AdminServer.ProblemAsync(blind, (HttpStatusCode)428);
        using var first = await SendAsync(_server, HttpMethod.Patch, path, """{"name": "a"}""", tag);
        using var late = await SendAsync(_server, HttpMethod.Patch, path, """{"name": "b"}""", tag);
        await AdminServer.ProblemAsync(late, HttpStatusCode.PreconditionFailed);
        using var any = await SendAsync(_server, HttpMethod.Patch, path, """{"name": null}""", "*");

        Assert.Contains("If-Match", missing.GetProperty("detail").GetString());
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (first.StatusCode, any.StatusCode));
        Assert.Equal(JsonValueKind.Null, (await _server.GetAsync(path)).GetProperty("summary").GetProperty("name").ValueKind);
    }

    [Theory]
    [InlineData("""{"name": 3}""", "name")]
    [InlineData("""{"tags": "a"}""", "tags")]
    [InlineData("""{"tags": [""]}""", "tags")]
    [InlineData("""{"note": 1}""", "note")]
    [InlineData("""{"seed": 1, "state": "failed"}""", "seed,state")]
    [InlineData("[]", "labels")]
    public async Task A_wrong_change_names_what_is_wrong(string body, string fields)
    {
        var run = CatalogRows.Run();
        await _server.AddAsync(run);

        using var response = await SendAsync(_server, HttpMethod.Patch, $"/api/v1/runs/{run.Id}", body, "*");

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        Assert.Equal(fields.Split(','), problem.GetProperty("errors").EnumerateObject().Select(error => error.Name));
    }

    [Fact]
    public async Task Of_many_who_change_the_same_version_one_succeeds()
    {
        var run = CatalogRows.Run();
        await _server.AddAsync(run);
        var tag = await TagOfAsync(_server, $"/api/v1/runs/{run.Id}");

        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(async i =>
                {
                    using var response = await SendAsync(
                        _server,
                        HttpMethod.Patch,
                        $"/api/v1/runs/{run.Id}",
                        $$"""{"name": "{{i}}"}""",
                        tag
                    );
                    return response.StatusCode;
                })
        );

        Assert.Single(answers, HttpStatusCode.OK);
        Assert.All(answers.Where(status => status != HttpStatusCode.OK), status => Assert.Equal(HttpStatusCode.PreconditionFailed, status));
    }

    [Fact]
    public async Task The_description_of_a_model_is_changed_by_its_version()
    {
        await _server.AddAsync(new Model { Name = "pets", CreatedAt = CatalogRows.Noon });
        var tag = await TagOfAsync(_server, "/api/v1/models/pets");

        using var blind = await SendAsync(_server, HttpMethod.Put, "/api/v1/models/pets", """{"description": "a"}""", tag: null);
        using var first = await SendAsync(_server, HttpMethod.Put, "/api/v1/models/pets", """{"description": "a"}""", tag);
        using var late = await SendAsync(_server, HttpMethod.Put, "/api/v1/models/pets", """{"description": "b"}""", tag);

        Assert.Equal(
            ((HttpStatusCode)428, HttpStatusCode.OK, HttpStatusCode.PreconditionFailed),
            (blind.StatusCode, first.StatusCode, late.StatusCode)
        );
        Assert.Equal("a", (await _server.GetAsync("/api/v1/models/pets")).GetProperty("description").GetString());
    }

    [Fact]
    public async Task A_view_is_saved_shown_replaced_and_deleted_by_its_version()
    {
        const string path = "/api/v1/views/my%20best";
        using var made = await SendAsync(
            _server,
            HttpMethod.Put,
            path,
            """{"query": "?where=accuracy%3E%3D0.9&sort=-accuracy", "columns": ["accuracy", "backbone"]}""",
            tag: null
        );
        Assert.Equal((HttpStatusCode.Created, path), (made.StatusCode, made.Headers.Location!.ToString()));
        using var blind = await SendAsync(_server, HttpMethod.Put, path, """{"query": ""}""", tag: null);
        Assert.Equal((HttpStatusCode)428, blind.StatusCode);
        using var replaced = await SendAsync(_server, HttpMethod.Put, path, """{"query": "?sort=name"}""", made.Headers.ETag!.ToString());
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        using var late = await SendAsync(_server, HttpMethod.Delete, path, body: null, made.Headers.ETag.ToString());
        Assert.Equal(HttpStatusCode.PreconditionFailed, late.StatusCode);

        var view = await _server.GetAsync(path);
        var listed = await _server.GetAsync("/api/v1/views");

        Assert.Equal(("my best", "?sort=name"), (view.GetProperty("name").GetString(), view.GetProperty("query").GetString()));
        Assert.Single(listed.GetProperty("items").EnumerateArray());
        using var deleted = await SendAsync(_server, HttpMethod.Delete, path, body: null, replaced.Headers.ETag!.ToString());
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        await _server.GetProblemAsync(path, HttpStatusCode.NotFound);
        using var gone = await SendAsync(_server, HttpMethod.Put, path, """{"query": ""}""", replaced.Headers.ETag.ToString());
        Assert.Equal(HttpStatusCode.PreconditionFailed, gone.StatusCode);
    }

    [Fact]
    public async Task A_view_that_could_not_be_shown_is_not_saved()
    {
        using var response = await SendAsync(
            _server,
            HttpMethod.Put,
            "/api/v1/views/x",
            """{"query": "?where=acuracy%3E1&limit=3", "columns": ["colour"]}""",
            tag: null
        );

        var errors = (await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest)).GetProperty("errors");
        Assert.Contains("'limit'", errors.GetProperty("query")[0].GetString());
        Assert.Contains("acuracy", errors.GetProperty("query")[1].GetString());
        Assert.Contains("colour", errors.GetProperty("columns")[0].GetString());
    }

    private static async Task<string> TagOfAsync(AdminServer server, string path)
    {
        using var response = await server.Client.GetAsync(path);
        return response.Headers.ETag!.ToString();
    }

    private static async Task<HttpResponseMessage> SendAsync(AdminServer server, HttpMethod method, string path, string? body, string? tag)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        }

        if (tag is not null)
        {
            request.Headers.Add("If-Match", tag);
        }

        return await server.Client.SendAsync(request);
    }
}
