using System.Net;
using System.Text.Json.Nodes;
using Distributed.Contracts;
using Distributed.TestServers;
using Npgsql;

namespace Distributed.AdminApi.Tests;

public sealed class OperationTests
{
    [Fact]
    public async Task The_description_of_the_api_names_every_route()
    {
        await using var server = await AdminServer.StartAsync();

        var document = await server.GetAsync("/openapi/v1.json");

        Assert.StartsWith("3.", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        Assert.Equal(
            [
                "DELETE /api/v1/keys/{id}",
                "DELETE /api/v1/models/{name}",
                "DELETE /api/v1/models/{name}/aliases/{alias}",
                "DELETE /api/v1/models/{name}/versions/{number}",
                "DELETE /api/v1/runs/{runId}",
                "DELETE /api/v1/views/{name}",
                "DELETE /api/v1/webhooks/{id}",
                "GET /api/v1/audit",
                "GET /api/v1/backbones",
                "GET /api/v1/datasets",
                "GET /api/v1/datasets/{sha256}",
                "GET /api/v1/datasets/{sha256}/classes",
                "GET /api/v1/datasets/{sha256}/duplicates",
                "GET /api/v1/datasets/{sha256}/images",
                "GET /api/v1/datasets/{sha256}/images/{imageSha256}",
                "GET /api/v1/datasets/{sha256}/skipped",
                "GET /api/v1/dead-letters",
                "GET /api/v1/events",
                "GET /api/v1/keys",
                "GET /api/v1/me",
                "GET /api/v1/models",
                "GET /api/v1/models/{name}",
                "GET /api/v1/models/{name}/versions/{number}",
                "GET /api/v1/models/{name}/versions/{number}/comparison",
                "GET /api/v1/models/{reference}/export",
                "GET /api/v1/queues",
                "GET /api/v1/runs",
                "GET /api/v1/runs/compare",
                "GET /api/v1/runs/fields",
                "GET /api/v1/runs/{runId}",
                "GET /api/v1/runs/{runId}/comparison.svg",
                "GET /api/v1/runs/{runId}/disagreements",
                "GET /api/v1/runs/{runId}/images",
                "GET /api/v1/runs/{runId}/jobs",
                "GET /api/v1/runs/{runId}/labels",
                "GET /api/v1/runs/{runId}/labels.csv",
                "GET /api/v1/runs/{runId}/map",
                "GET /api/v1/runs/{runId}/metrics",
                "GET /api/v1/runs/{runId}/near-duplicates",
                "GET /api/v1/runs/{runId}/near-duplicates.csv",
                "GET /api/v1/runs/{runId}/predictions.csv",
                "GET /api/v1/runs/{runId}/predictions.jsonl",
                "GET /api/v1/runs/{runId}/report",
                "GET /api/v1/views",
                "GET /api/v1/views/{name}",
                "GET /api/v1/webhooks",
                "GET /api/v1/webhooks/{id}/deliveries",
                "GET /api/v1/workers",
                "PATCH /api/v1/runs/{runId}",
                "POST /api/v1/dead-letters/{id}/requeue",
                "POST /api/v1/maintenance/collect",
                "POST /api/v1/models/{name}/aliases/{alias}/rollback",
                "POST /api/v1/models/{name}/versions",
                "POST /api/v1/models/{reference}/predict",
                "POST /api/v1/runs",
                "POST /api/v1/runs/{runId}/cancel",
                "POST /api/v1/runs/{runId}/jobs/{jobId}/requeue",
                "POST /api/v1/runs/{runId}/retry",
                "POST /api/v1/webhooks",
                "PUT /api/v1/models/{name}",
                "PUT /api/v1/models/{name}/aliases/{alias}",
                "PUT /api/v1/views/{name}",
            ],
            document
                .GetProperty("paths")
                .EnumerateObject()
                .SelectMany(path => path.Value.EnumerateObject().Select(operation => $"{operation.Name.ToUpperInvariant()} {path.Name}"))
                .Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            ["401", "403", "404", "409", "413", "415", "429"],
            Responses("/api/v1/runs", "post")
                .Union(Responses("/api/v1/runs/{runId}/retry", "post"))
                .Where(status => status[0] == '4' && status != "400")
                .Order(StringComparer.Ordinal)
        );
        Assert.Contains("410", Responses("/api/v1/runs/{runId}/report", "get"));
        var inputSize = document
            .GetProperty("components")
            .GetProperty("schemas")
            .GetProperty("RunSpecification")
            .GetProperty("properties")
            .GetProperty("inputSize");
        // A number that may be a text too would have two types.
        Assert.Equal("integer", inputSize.GetProperty("type").GetString());
        Assert.Contains("a whole number from 32 to 1024", inputSize.GetProperty("description").GetString(), StringComparison.Ordinal);

        IEnumerable<string> Responses(string path, string method) =>
            document
                .GetProperty("paths")
                .GetProperty(path)
                .GetProperty(method)
                .GetProperty("responses")
                .EnumerateObject()
                .Select(response => response.Name);
    }

    [Fact]
    public async Task Every_operation_says_what_it_does_and_shows_an_example_of_what_it_takes_and_answers_as_json()
    {
        await using var server = await AdminServer.StartAsync();

        var document = await server.GetAsync("/openapi/v1.json");

        foreach (var path in document.GetProperty("paths").EnumerateObject())
        {
            foreach (var operation in path.Value.EnumerateObject())
            {
                var name = $"{operation.Name.ToUpperInvariant()} {path.Name}";
                Assert.False(string.IsNullOrEmpty(operation.Value.GetProperty("summary").GetString()), name);
                var bodies = operation
                    .Value.GetProperty("responses")
                    .EnumerateObject()
                    .Where(response => response.Name[0] == '2')
                    .Select(response => response.Value);
                if (operation.Value.TryGetProperty("requestBody", out var request))
                {
                    bodies = bodies.Append(request);
                }

                foreach (var body in bodies)
                {
                    if (
                        body.TryGetProperty("content", out var content)
                        && content.TryGetProperty("application/json", out var json)
                        && json.TryGetProperty("schema", out _)
                    )
                    {
                        Assert.True(json.TryGetProperty("example", out _), $"{name} has no example of {body}");
                    }
                }
            }
        }
    }

    [Fact]
    public async Task The_description_of_the_api_has_every_setting_as_its_schema_says()
    {
        await using var server = await AdminServer.StartAsync();

        var document = await server.GetAsync("/openapi/v1.json");

        var described = document.GetProperty("components").GetProperty("schemas").GetProperty("RunSpecification");
        Assert.True(
            JsonNode.DeepEquals(RunSettings.Schema(), JsonNode.Parse(described.GetRawText())),
            $"{RunSettings.Schema()} is described as {described}"
        );
    }

    [Fact]
    public async Task The_root_leads_to_pages_that_explain_the_api()
    {
        await using var server = await AdminServer.StartAsync();

        using var response = await server.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task A_whole_service_is_alive_and_ready()
    {
        await using var server = await AdminServer.StartAsync();

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "/health/live"));
        await AdminServer.UntilAsync(async () => await StatusAsync(server, "/health/ready") == HttpStatusCode.OK);
    }

    [Fact]
    public async Task Without_its_database_a_service_is_alive_but_not_ready_and_says_so()
    {
        await using var server = await AdminServer.StartAsync(
            $"Host=127.0.0.1;Port={FreePort.Next()};Database=none;Username=none;Password=none;Timeout=1"
        );

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "/health/live"));
        using var ready = await server.Client.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        var check = (await AdminServer.JsonAsync(ready)).GetProperty("checks").GetProperty("catalog");
        Assert.Contains("database", check.GetProperty("description").GetString());
        await server.GetProblemAsync("/api/v1/runs", HttpStatusCode.ServiceUnavailable);
        using var submitted = await server.PostAsync("{}");
        await AdminServer.ProblemAsync(submitted, HttpStatusCode.ServiceUnavailable);
    }

    [Fact]
    public async Task Connections_that_a_restart_of_the_database_broke_make_nobody_unready()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var server = await AdminServer.StartAsync(database.ConnectionString);
        await AdminServer.UntilAsync(async () => await StatusAsync(server, "/health/ready") == HttpStatusCode.OK);
        await using var source = NpgsqlDataSource.Create(database.ConnectionString);
        await using var end = source.CreateCommand(
            "select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        );

        for (var restart = 0; restart < 20; restart++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => server.GetAsync("/api/v1/runs")));
            Assert.InRange((long)(await end.ExecuteScalarAsync())!, 1, int.MaxValue);
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "/health/ready"));
        }
    }

    [Fact]
    public async Task Our_instruments_are_measured()
    {
        await using var server = await AdminServer.StartAsync();
        await server.SubmitAsync();

        await AdminServer.UntilAsync(async () =>
        {
            var metrics = await server.Client.GetStringAsync("/metrics");
            return metrics.Contains("distributed_run_open{", StringComparison.Ordinal)
                && metrics.Contains("state=\"submitted\"", StringComparison.Ordinal)
                && metrics.Contains("http_server_request_duration_seconds", StringComparison.Ordinal);
        });
    }

    private static async Task<HttpStatusCode> StatusAsync(AdminServer server, string path)
    {
        using var response = await server.Client.GetAsync(path);
        return response.StatusCode;
    }
}
