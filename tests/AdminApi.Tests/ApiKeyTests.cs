using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Tests;

public sealed partial class ApiKeyTests : IAsyncLifetime
{
    private static readonly (string Key, string Value) Required = ("Api:Keys", "required");
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync(settings: Required);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Without_a_key_nothing_of_the_api_answers_and_it_says_what_to_do()
    {
        var document = await _server.GetAsync("/openapi/v1.json");
        var operations = document
            .GetProperty("paths")
            .EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => (Method: operation.Name, Path: path.Name)))
            .Append(("get", "/metrics"))
            .Append(("get", "/api/v1/there-is-no-such-thing"))
            .ToList();

        Assert.True(operations.Count > 8);
        foreach (var (method, path) in operations)
        {
            using var request = new HttpRequestMessage(
                new HttpMethod(method.ToUpperInvariant()),
                path.Replace("{runId}", $"{Guid.NewGuid():D}", StringComparison.Ordinal)
            );
            using var response = await _server.Client.SendAsync(request);
            var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.Unauthorized);
            Assert.Contains("keys create", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
        }
    }

    [Theory]
    [InlineData("POST", "/customvision/v3.0/Prediction/8f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01/classify/iterations/champion/image", "message")]
    [InlineData("POST", "/customvision/v3.1/prediction/8f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01/classify/iterations/champion/url", "message")]
    [InlineData("GET", "/v2", "error")]
    [InlineData("GET", "/v2/models/shapes", "error")]
    [InlineData("POST", "/v2/models/shapes/infer", "error")]
    public async Task Without_a_key_the_routes_of_other_protocols_answer_in_their_words(string method, string path, string field)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await _server.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Contains("keys create", body.RootElement.GetProperty(field).GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/health/live")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/docs")]
    public async Task Health_and_description_need_no_key(string path)
    {
        using var response = await _server.Client.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Readiness_needs_no_key() =>
        await AdminServer.UntilAsync(async () =>
        {
            using var response = await _server.Client.GetAsync("/health/ready");
            return response.StatusCode == HttpStatusCode.OK;
        });

    [Theory]
    [InlineData("Authorization")]
    [InlineData("X-Api-Key")]
    public async Task A_key_of_the_command_opens_the_api_in_either_header(string header)
    {
        var key = await CreateAsync("ada", "operator");

        using var response = await SendAsync(HttpMethod.Post, "/api/v1/runs", key, header);

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
    }

    [Fact]
    public async Task A_reader_may_look_and_change_nothing()
    {
        var runId = (await SubmitAsync(await CreateAsync("ada", "operator"))).ToString("D");
        var reader = await CreateAsync("bob", "reader");

        foreach (var path in new[] { "/api/v1/runs", $"/api/v1/runs/{runId}", "/api/v1/datasets", "/metrics" })
        {
            using var read = await SendAsync(HttpMethod.Get, path, reader);
            Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        }

        foreach (
            var (method, path) in new[]
            {
                (HttpMethod.Post, "/api/v1/runs"),
                (HttpMethod.Post, $"/api/v1/runs/{runId}/cancel"),
                (HttpMethod.Get, "/api/v1/audit"),
            }
        )
        {
            using var refused = await SendAsync(method, path, reader);
            var problem = await AdminServer.ProblemAsync(refused, HttpStatusCode.Forbidden);
            Assert.Contains("'bob'", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }

        Assert.Equal(RunState.Submitted, (await _server.QueryAsync(context => context.Runs.SingleAsync())).State);
    }

    [Fact]
    public async Task A_predictor_may_predict_and_do_nothing_else()
    {
        var predictor = await CreateAsync("cam", "predictor");
        var reader = await CreateAsync("bob", "reader");

        foreach (
            var (method, path) in new[]
            {
                (HttpMethod.Get, "/api/v1/runs"),
                (HttpMethod.Post, "/api/v1/runs"),
                (HttpMethod.Get, "/metrics"),
            }
        )
        {
            using var refused = await SendAsync(method, path, predictor);
            await AdminServer.ProblemAsync(refused, HttpStatusCode.Forbidden);
        }

        using (var nowhere = await SendAsync(HttpMethod.Get, "/customvision/v2.0/prediction", predictor))
        {
            await AdminServer.ProblemAsync(nowhere, HttpStatusCode.NotFound);
        }

        using (var missing = await SendAsync(HttpMethod.Post, "/api/v1/models/nothing@1/predict?top=1", predictor))
        {
            // It has the right to ask.
            await AdminServer.ProblemAsync(missing, HttpStatusCode.BadRequest);
        }

        using var looker = await SendAsync(HttpMethod.Post, "/api/v1/models/nothing@1/predict", reader);
        var problem = await AdminServer.ProblemAsync(looker, HttpStatusCode.Forbidden);
        Assert.Contains("a predictor's or an operator's", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_key_opens_nothing_from_the_next_request_on_and_its_name_is_free()
    {
        var key = await CreateAsync("ada", "operator");
        using (var before = await SendAsync(HttpMethod.Get, "/api/v1/runs", key))
        {
            Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        }

        await KeysAsync(0, "revoke", "ada");

        using var after = await SendAsync(HttpMethod.Get, "/api/v1/runs", key);
        await AdminServer.ProblemAsync(after, HttpStatusCode.Unauthorized);
        var (_, twice) = await KeysAsync(1, "revoke", "ada");
        Assert.Contains("No valid key is named 'ada'", twice, StringComparison.Ordinal);
        await CreateAsync("ada", "reader");
    }

    [Fact]
    public async Task A_key_with_one_wrong_digit_in_any_part_opens_nothing()
    {
        var key = await CreateAsync("ada", "operator");
        foreach (var position in new[] { 0, 6, 20, 22, key.Length - 1 })
        {
            var wrong = key.ToCharArray();
            wrong[position] = wrong[position] == '0' ? '1' : '0';
            using var response = await SendAsync(HttpMethod.Get, "/api/v1/runs", new string(wrong));
            await AdminServer.ProblemAsync(response, HttpStatusCode.Unauthorized);
        }

        using var longer = await SendAsync(HttpMethod.Get, "/api/v1/runs", key + "0");
        await AdminServer.ProblemAsync(longer, HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task The_catalog_holds_a_key_only_as_a_hash_and_knows_when_it_was_used()
    {
        var key = await CreateAsync("ada", "operator");
        using var response = await SendAsync(HttpMethod.Get, "/api/v1/runs", key);

        var row = await _server.QueryAsync(context => context.ApiKeys.SingleAsync());

        Assert.DoesNotContain(key.Split('_')[2], JsonSerializer.Serialize(row), StringComparison.Ordinal);
        Assert.InRange(row.LastUsedAt!.Value, row.CreatedAt, DateTime.UtcNow);
        var (list, _) = await KeysAsync(0, "list");
        Assert.Contains($"ada\toperator\tdstk_{row.Id}_…", list, StringComparison.Ordinal);
        Assert.DoesNotContain(key.Split('_')[2], list, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_key_of_a_name_and_a_name_that_cannot_be_printed_are_refused()
    {
        await CreateAsync("ada", "operator");

        var (_, again) = await KeysAsync(1, "create", "ada");
        Assert.Contains("keys revoke ada", again, StringComparison.Ordinal);
        var (_, unprintable) = await KeysAsync(1, "create", "a\nb");
        Assert.Contains("can be printed", unprintable, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_audit_log_tells_who_changed_what_and_operators_read_it()
    {
        var key = await CreateAsync("ada", "operator");
        var runId = await SubmitAsync(key);
        using (await SendAsync(HttpMethod.Post, $"/api/v1/runs/{runId:D}/cancel", key))
        using (await SendAsync(HttpMethod.Post, $"/api/v1/runs/{runId:D}/cancel", key)) { }

        await KeysAsync(0, "create", "bob");
        await KeysAsync(0, "revoke", "bob");

        var all = await AuditAsync(key, "/api/v1/audit");
        Assert.Equal(
            [
                "local keyRevoked bob",
                "local keyCreated bob",
                $"key runCancelled {runId:D}",
                $"key runSubmitted {runId:D}",
                "local keyCreated ada",
            ],
            all.GetProperty("items").EnumerateArray().Select(Describe)
        );
        Assert.Equal("ada", all.GetProperty("items")[2].GetProperty("actor").GetString());
        var first = await AuditAsync(key, "/api/v1/audit?limit=2");
        var second = await AuditAsync(key, $"/api/v1/audit?limit=3&after={first.GetProperty("next").GetGuid()}");
        Assert.Equal(3, second.GetProperty("items").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, second.TryGetProperty("next", out var next) ? next.ValueKind : JsonValueKind.Null);
        Assert.Equal(2, (await AuditAsync(key, $"/api/v1/audit?subject={runId:D}")).GetProperty("items").GetArrayLength());
        Assert.Equal(2, (await AuditAsync(key, "/api/v1/audit?actor=ada")).GetProperty("items").GetArrayLength());
        using var tooMany = await SendAsync(HttpMethod.Get, "/api/v1/audit?limit=0", key);
        await AdminServer.ProblemAsync(tooMany, HttpStatusCode.BadRequest);

        static string Describe(JsonElement entry) =>
            $"{entry.GetProperty("actorKind").GetString()} {entry.GetProperty("action").GetString()} {entry.GetProperty("subject").GetString()}";
    }

    [Fact]
    public async Task The_description_tells_how_a_key_is_sent()
    {
        var document = await _server.GetAsync("/openapi/v1.json");

        var scheme = document.GetProperty("components").GetProperty("securitySchemes").EnumerateObject().Single();
        Assert.Equal(("http", "bearer"), (scheme.Value.GetProperty("type").GetString(), scheme.Value.GetProperty("scheme").GetString()));
        Assert.Equal(scheme.Name, document.GetProperty("security")[0].EnumerateObject().Single().Name);
        Assert.True(
            document
                .GetProperty("paths")
                .GetProperty("/api/v1/runs")
                .GetProperty("post")
                .GetProperty("responses")
                .TryGetProperty("401", out _)
        );
    }

    [Theory]
    [InlineData(null, null, HttpStatusCode.OK)]
    [InlineData("Host", "localhost", HttpStatusCode.OK)]
    [InlineData("Host", "attacker.example", HttpStatusCode.Unauthorized)]
    [InlineData("Origin", "http://attacker.example", HttpStatusCode.Unauthorized)]
    [InlineData("Sec-Fetch-Site", "cross-site", HttpStatusCode.Unauthorized)]
    [InlineData("X-Forwarded-For", "203.0.113.7", HttpStatusCode.Unauthorized)]
    [InlineData("Authorization", "Bearer wrong", HttpStatusCode.Unauthorized)]
    public async Task Over_loopback_no_key_is_needed_where_the_setting_says_so_unless_the_request_comes_from_elsewhere(
        string? header,
        string? value,
        HttpStatusCode expected
    )
    {
        await using var server = await AdminServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/runs");
        if (header is not null)
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        using var response = await server.Client.SendAsync(request);

        Assert.Equal(expected, response.StatusCode);
    }

    private async Task<string> CreateAsync(string name, string role)
    {
        var (output, _) = await KeysAsync(0, "create", name, "--role", role);
        var key = output.Trim();
        Assert.Matches(KeyForm(), key);
        return key;
    }

    private async Task<(string Output, string Errors)> KeysAsync(int status, params string[] arguments)
    {
        await using var process = HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            ["keys", .. arguments],
            new Dictionary<string, string?>
            {
                ["ConnectionStrings__Catalog"] = $"Data Source={Path.Combine(_server.Directory, "catalog.db")}",
            }
        );
        var ended = await process.WaitForExitAsync();
        Assert.True(ended == status, string.Join('\n', process.Lines));
        var key = process.Lines.Where(line => KeyForm().IsMatch(line) || line.Contains('\t', StringComparison.Ordinal));
        return (string.Join('\n', key), string.Join('\n', process.Lines));
    }

    private async Task<Guid> SubmitAsync(string key)
    {
        using var response = await SendAsync(HttpMethod.Post, "/api/v1/runs", key);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        return (await AdminServer.JsonAsync(response)).GetProperty("summary").GetProperty("runId").GetGuid();
    }

    private async Task<JsonElement> AuditAsync(string key, string path)
    {
        using var response = await SendAsync(HttpMethod.Get, path, key);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await AdminServer.JsonAsync(response);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string key, string header = "Authorization")
    {
        using var request = new HttpRequestMessage(method, path);
        if (header == "Authorization")
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
        else
        {
            request.Headers.Add(header, key);
        }

        if (path == "/api/v1/runs" && method == HttpMethod.Post)
        {
            request.Content = new StringContent("{}", MediaTypeHeaderValue.Parse("application/json"));
        }

        return await _server.Client.SendAsync(request);
    }

    [GeneratedRegex("^dstk_[0-9a-f]{16}_[0-9a-f]{64}$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex KeyForm();
}
