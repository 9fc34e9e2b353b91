using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using Distributed.Contracts;

namespace Distributed.Client.Tests;

/// <summary>The client says what the server's own description says.</summary>
public sealed class DescriptionTests(Served served)
{
    /// <summary>What the client calls, and the type that it reads the answer as.</summary>
    public static TheoryData<string, string, Type?> Operations =>
        new()
        {
            { "post", "/api/v1/runs", typeof(RunDetail) },
            { "get", "/api/v1/runs", typeof(RunSummary) },
            { "get", "/api/v1/runs/{runId}", typeof(RunDetail) },
            { "delete", "/api/v1/runs/{runId}", null },
            { "post", "/api/v1/runs/{runId}/cancel", typeof(RunDetail) },
            { "post", "/api/v1/runs/{runId}/retry", typeof(RunDetail) },
            { "get", "/api/v1/runs/{runId}/metrics", null },
            { "get", "/api/v1/events", null },
            { "get", "/api/v1/models", typeof(ModelSummary) },
            { "post", "/api/v1/models/{name}/versions", typeof(ModelVersionDetail) },
            { "get", "/api/v1/models/{name}/versions/{number}", typeof(ModelVersionDetail) },
            { "put", "/api/v1/models/{name}/aliases/{alias}", typeof(AliasDetail) },
            { "post", "/api/v1/models/{name}/aliases/{alias}/rollback", typeof(AliasDetail) },
            { "get", "/api/v1/models/{reference}/export", null },
            { "post", "/api/v1/models/{reference}/predict", typeof(Predictions) },
            { "patch", "/api/v1/runs/{runId}", typeof(RunDetail) },
            { "get", "/api/v1/runs/{runId}/jobs", typeof(JobDetail) },
            { "get", "/api/v1/runs/{runId}/images", typeof(TestedImage) },
            { "get", "/api/v1/runs/{runId}/labels", typeof(JudgedLabel) },
            { "get", "/api/v1/runs/compare", typeof(RunComparison) },
            { "get", "/api/v1/runs/{runId}/disagreements", typeof(Disagreement) },
            { "get", "/api/v1/models/{name}", typeof(ModelDetail) },
            { "get", "/api/v1/models/{name}/versions/{number}/comparison", typeof(VersionComparison) },
            { "delete", "/api/v1/models/{name}/aliases/{alias}", null },
            { "get", "/api/v1/datasets", typeof(DatasetSummary) },
            { "get", "/api/v1/datasets/{sha256}", typeof(DatasetSummary) },
            { "get", "/api/v1/datasets/{sha256}/classes", typeof(DatasetClass) },
            { "get", "/api/v1/me", typeof(Identity) },
            { "get", "/api/v1/audit", typeof(AuditRecord) },
            { "get", "/api/v1/workers", typeof(WorkerSummary) },
            { "get", "/api/v1/queues", typeof(QueueSummary) },
            { "get", "/api/v1/dead-letters", typeof(DeadLetterSummary) },
            { "post", "/api/v1/dead-letters/{id}/requeue", null },
            { "post", "/api/v1/maintenance/collect", typeof(CollectedItem) },
            { "get", "/api/v1/views", typeof(SavedView) },
            { "put", "/api/v1/views/{name}", null },
            { "delete", "/api/v1/views/{name}", null },
            { "get", "/api/v1/webhooks", typeof(WebhookSummary) },
            { "post", "/api/v1/webhooks", typeof(CreatedWebhook) },
            { "delete", "/api/v1/webhooks/{id}", null },
            { "get", "/api/v1/keys", typeof(KeySummary) },
            { "delete", "/api/v1/keys/{id}", null },
        };

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Every_operation_that_it_calls_is_described_with_what_it_reads(string method, string path, Type? answer)
    {
        var document = await served.Server.Api.GetFromJsonAsync<JsonElement>("/openapi/v1.json");

        var operation = document.GetProperty("paths").GetProperty(path).GetProperty(method);

        if (answer is not null)
        {
            var success = operation.GetProperty("responses").EnumerateObject().Single(response => response.Name[0] == '2').Value;
            var schema = Resolve(document, success.GetProperty("content").GetProperty("application/json").GetProperty("schema"));
            // A page holds what is asked for.
            AssertReads(
                document,
                schema.GetProperty("properties").TryGetProperty("items", out var items) ? items.GetProperty("items") : schema,
                answer
            );
        }
    }

    [Fact]
    public async Task Its_states_of_a_run_are_the_servers()
    {
        var document = await served.Server.Api.GetFromJsonAsync<JsonElement>("/openapi/v1.json");

        Assert.Equal(
            document
                .GetProperty("components")
                .GetProperty("schemas")
                .GetProperty("RunState")
                .GetProperty("enum")
                .EnumerateArray()
                .Select(state => state.GetString()!),
            Enum.GetNames<RunState>().Select(JsonNamingPolicy.CamelCase.ConvertName)
        );
    }

    private static JsonElement Resolve(JsonElement document, JsonElement schema)
    {
        // Of a value that may be null, the other alternative.
        if (schema.TryGetProperty("oneOf", out var alternatives))
        {
            return Resolve(document, alternatives.EnumerateArray().Last(one => one.TryGetProperty("$ref", out _)));
        }

        return schema.TryGetProperty("$ref", out var reference)
            ? document.GetProperty("components").GetProperty("schemas").GetProperty(reference.GetString()!.Split('/')[^1])
            : schema;
    }

    private static void AssertReads(JsonElement document, JsonElement schema, Type type)
    {
        var described = Resolve(document, schema).GetProperty("properties");
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(IsRead))
        {
            var name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
            Assert.True(described.TryGetProperty(name, out var of), $"{type.Name} reads '{name}', which the server does not send.");
            if (property.PropertyType.Assembly == typeof(RunDetail).Assembly && property.PropertyType.IsClass)
            {
                AssertReads(document, of, property.PropertyType);
            }
        }
    }

    /// <summary>A record's own members are not read, nor what follows from others.</summary>
    private static bool IsRead(PropertyInfo property) => property.CanWrite && property.Name != "EqualityContract";
}
