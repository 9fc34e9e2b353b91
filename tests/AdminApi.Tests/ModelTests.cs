using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Storage;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class ModelTests : IAsyncLifetime
{
    private const string Lineage = """
        {
          "runId": "6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01", "submittedAt": "2026-01-01T00:00:00Z", "specification": {}, "commandLine": "run",
          "dataset": { "sha256": "d", "name": "pets", "source": "/data/pets", "classes": ["cat", "dog"], "trainImages": 8, "validationImages": 2, "testImages": 5, "splitSha256": "s" },
          "backbone": { "sha256": "b", "architecture": "densenet121", "source": "demo", "origin": "demo weights", "licence": "of this program" },
          "features": { "key": "f", "inputSize": 96, "fit": "crop", "preprocessing": "p", "precision": "fp32", "extractorVersion": 5 },
          "headSha256": "h",
          "metrics": { "testImages": 5, "accuracy": 0.8, "accuracyLow": 0.4, "accuracyHigh": 0.9, "loss": 0.5, "macroF1": 0.8, "calibrationError": 0.1 },
          "addedByALaterVersion": true
        }
        """;

    private AdminServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await AdminServer.StartAsync();
        Run[] runs = [NewRun(), NewRun()];
        await _server.AddAsync([
            .. runs,
            new Model
            {
                Name = "pets",
                CreatedAt = DateTime.UtcNow,
                LatestNumber = 2,
            },
        ]);
        await _server.AddAsync([
            .. runs.Select(
                (run, i) =>
                    new ModelVersion
                    {
                        ModelName = "pets",
                        Number = i + 1,
                        RunId = run.Id,
                        Head = new StoredFile("runs/head", 1, "00"),
                        Lineage = Lineage,
                        CreatedAt = DateTime.UtcNow,
                        CreatedBy = "ada",
                    }
            ),
        ]);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task An_alias_is_set_moved_rolled_back_and_removed_and_the_model_shows_it()
    {
        await AliasAsync(1);
        await AliasAsync(2);
        var model = await _server.GetAsync("/api/v1/models/pets");
        Assert.Equal(
            ["2", "1"],
            model.GetProperty("versions").EnumerateArray().Select(version => version.GetProperty("number").ToString())
        );
        Assert.Equal(0.8, model.GetProperty("versions")[0].GetProperty("metrics").GetProperty("accuracy").GetDouble());
        Assert.Equal(2, model.GetProperty("aliases")[0].GetProperty("version").GetInt32());
        Assert.Equal(
            (1, 2),
            (model.GetProperty("moves")[0].GetProperty("from").GetInt32(), model.GetProperty("moves")[0].GetProperty("to").GetInt32())
        );

        using (var back = await _server.Client.PostAsync("/api/v1/models/pets/aliases/champion/rollback?reason=bad", null))
        {
            Assert.Equal(1, (await AdminServer.JsonAsync(back)).GetProperty("version").GetInt32());
        }

        using (var refused = await _server.Client.DeleteAsync("/api/v1/models/pets/versions/1"))
        {
            await AdminServer.ProblemAsync(refused, HttpStatusCode.Conflict);
        }

        using (var removed = await _server.Client.DeleteAsync("/api/v1/models/pets/aliases/champion"))
        {
            Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        }

        using (var deleted = await _server.Client.DeleteAsync("/api/v1/models/pets"))
        {
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        }

        Assert.Equal(0, (await _server.GetAsync("/api/v1/models")).GetProperty("items").GetArrayLength());
        var actions = (await _server.GetAsync("/api/v1/audit?subject=model%20pets"))
            .GetProperty("items")
            .EnumerateArray()
            .Select(entry => entry.GetProperty("action").GetString());
        Assert.Equal(["modelDeleted", "aliasRemoved", "modelRolledBack", "modelPromoted", "modelPromoted"], actions);
    }

    [Fact]
    public async Task A_model_is_described_listed_and_found_by_its_run()
    {
        using var blind = await _server.Client.PutAsJsonAsync("/api/v1/models/pets", new { description = "Dogs" });
        Assert.Equal(HttpStatusCode.PreconditionRequired, blind.StatusCode);
        using var known = await _server.Client.GetAsync("/api/v1/models/pets");
        using var request = new HttpRequestMessage(HttpMethod.Put, "/api/v1/models/pets")
        {
            Content = JsonContent.Create(new { description = "Cats and dogs" }),
        };
        request.Headers.IfMatch.Add(known.Headers.ETag!);

        using var described = await _server.Client.SendAsync(request);

        Assert.Equal("Cats and dogs", (await AdminServer.JsonAsync(described)).GetProperty("description").GetString());

        var version = await _server.GetAsync("/api/v1/models/pets/versions/2");
        Assert.Equal("densenet121", version.GetProperty("lineage").GetProperty("backbone").GetProperty("architecture").GetString());
        var found = await _server.GetAsync($"/api/v1/models?run={version.GetProperty("runId").GetGuid()}");
        Assert.Equal("pets", found.GetProperty("items")[0].GetProperty("name").GetString());
        Assert.Equal(0, (await _server.GetAsync($"/api/v1/models?run={Guid.NewGuid()}")).GetProperty("items").GetArrayLength());
    }

    [Theory]
    [InlineData("PUT", "models/pets/aliases/champion", """{"version":9}""", 404, "has no version 9")]
    [InlineData("PUT", "models/pets/aliases/12", """{"version":1}""", 400, "no number")]
    [InlineData("PUT", "models/pets/aliases/champion", """{"version":1,"confidence":2}""", 400, "above 0 and below 1")]
    [InlineData("PUT", "models/pets/aliases/champion", """{"version":1,"confidense":2}""", 400, "confidense")]
    [InlineData("POST", "models/No-Name/versions", """{"runId":"6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01"}""", 400, "lower-case letters")]
    [InlineData("POST", "models/pets/versions", """{"runId":"6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01"}""", 404, "No run has the id")]
    [InlineData("POST", "models/pets/aliases/champion/rollback", "{}", 404, "has no alias champion")]
    [InlineData("GET", "models/nothing", "", 404, "no model")]
    [InlineData("GET", "models/pets/versions/2/comparison?with=7", "", 404, "has no version 7")]
    [InlineData("DELETE", "models/nothing", "", 404, "no model nothing")]
    public async Task What_cannot_be_done_is_answered_with_the_reason(string method, string path, string body, int status, string said)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), $"/api/v1/{path}");
        if (body.Length > 0)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        using var response = await _server.Client.SendAsync(request);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains(said, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nothing@1", "image/png", "x", 404, "no model nothing")]
    [InlineData("pets", "image/png", "x", 400, "shapes@champion")]
    [InlineData("pets@1", "image/png", "", 400, "is empty")]
    [InlineData("pets@1", "application/json", "{}", 400, "must be {")]
    [InlineData("pets@1", "application/json", """{"urls":[]}""", 400, "no image in the request")]
    [InlineData("pets@1", "application/json", """{"urls":["file:///etc/passwd"]}""", 400, "no http or https URL")]
    [InlineData("pets@1", "application/json", """{"urls":["http://127.0.0.1:1/cat.png"]}""", 400, "is an address of this machine")]
    [InlineData("pets@1?confidence=1", "image/png", "x", 400, "above 0 and below 1")]
    [InlineData("pets@1?top=0", "image/png", "x", 400, "from 1 to 1000")]
    [InlineData("pets@1?timeout=200", "image/png", "x", 504, "within 0.2 s")]
    public async Task A_prediction_that_is_not_possible_is_answered_with_the_reason(
        string model,
        string type,
        string body,
        int status,
        string said
    )
    {
        var (reference, query) = model.Split('?') is [var name, var rest] ? (name, "?" + rest) : (model, "");
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = new MediaTypeHeaderValue(type);

        using var response = await _server.Client.PostAsync($"/api/v1/models/{reference}/predict{query}", content);

        var text = JsonSerializer.Deserialize<JsonElement>(await response.Content.ReadAsStringAsync()).ToString();
        Assert.True(status == (int)response.StatusCode, text);
        Assert.Contains(said.Replace("\"", "\\\"", StringComparison.Ordinal), text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_than_can_be_answered_at_a_time_is_refused_at_once()
    {
        await using var server = await AdminServer.StartAsync(catalog: null, ("Predictions:Concurrent", "1"));
        var run = NewRun();
        await server.AddAsync(
            run,
            new Model
            {
                Name = "pets",
                CreatedAt = DateTime.UtcNow,
                LatestNumber = 1,
            }
        );
        await server.AddAsync(
            new ModelVersion
            {
                ModelName = "pets",
                Number = 1,
                RunId = run.Id,
                Head = new StoredFile("runs/head", 1, "00"),
                Lineage = Lineage,
                CreatedAt = DateTime.UtcNow,
                CreatedBy = "ada",
            }
        );

        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 3)
                .Select(async _ =>
                {
                    using var content = new ByteArrayContent([1]);
                    using var response = await server.Client.PostAsync("/api/v1/models/pets@1/predict?timeout=1500", content);
                    return (response.StatusCode, RetryAfter: response.Headers.RetryAfter?.Delta);
                })
        );

        Assert.Equal(1, answers.Count(answer => answer.StatusCode == HttpStatusCode.GatewayTimeout));
        Assert.Equal(
            2,
            answers.Count(answer =>
                answer is { StatusCode: HttpStatusCode.TooManyRequests, RetryAfter: { } after } && after > TimeSpan.Zero
            )
        );
    }

    [Fact]
    public async Task A_run_with_a_model_has_the_version_that_the_alias_means_and_the_settings_of_its_images()
    {
        await AliasAsync(2);

        var runId = await _server.SubmitAsync("""{"dataset":"/data/new","model":"pets@champion"}""", "nightly");
        await AliasAsync(1);
        var again = await _server.SubmitAsync("""{"dataset":"/data/new","model":"pets@champion"}""", "nightly");
        var later = await _server.SubmitAsync("""{"dataset":"/data/new","model":"pets@champion"}""");

        Assert.Equal(runId, again);
        var run = await _server.GetAsync($"/api/v1/runs/{runId}");
        Assert.Equal("pets@2", run.GetProperty("summary").GetProperty("model").GetString());
        Assert.Equal("pets@1", (await _server.GetAsync($"/api/v1/runs/{later}")).GetProperty("summary").GetProperty("model").GetString());
        var specification = run.GetProperty("specification");
        Assert.Equal(
            ("pets@2", "demo", 96, "fp32"),
            (
                specification.GetProperty("model").GetString(),
                specification.GetProperty("backbone").GetString(),
                specification.GetProperty("inputSize").GetInt32(),
                specification.GetProperty("precision").GetString()
            )
        );
        // There is nothing to train.
        Assert.Equal(0, await _server.QueryAsync(context => context.Trials.CountAsync(trial => trial.RunId == runId)));
        // What was accepted is accepted again.
        Assert.NotEqual(runId, await _server.SubmitAsync(specification.GetRawText()));
    }

    [Theory]
    [InlineData("""{"versoin":1}""", "The body has an unknown field: versoin.")]
    [InlineData("""{"version":"first"}""", "The field 'version' of the body cannot be read")]
    [InlineData("version 1", "The body is not JSON")]
    public async Task What_is_wrong_with_a_body_is_said_in_plain_words(string body, string said)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _server.Client.PutAsync("/api/v1/models/pets/aliases/champion", content);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        Assert.StartsWith(said, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model":"pets@nobody"}""", "model", "no alias nobody")]
    [InlineData("""{"model":"dogs@1"}""", "model", "no model dogs")]
    [InlineData("""{"model":"pets"}""", "model", "NAME@ALIAS")]
    [InlineData("""{"model":"pets@1","inputSize":64}""", "inputSize", "is 64, and the images of pets@1 went through 96; leave it out")]
    [InlineData("""{"model":"pets@1","backbone":"imagenet"}""", "backbone", "is imagenet, and the images of pets@1 went through demo")]
    [InlineData("""{"model":"pets@1","testFraction":0.3}""", "testFraction", "is for training")]
    public async Task A_model_that_is_not_there_or_settings_that_are_not_its_own_are_refused(string body, string field, string reason)
    {
        using var response = await _server.PostAsync(body);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        var error = Assert.Single(problem.GetProperty("errors").EnumerateObject());
        Assert.Equal(field, error.Name);
        Assert.Contains(reason, error.Value[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_with_a_model_that_is_not_there_is_a_failed_run_that_says_so()
    {
        var id = Guid.NewGuid();
        using var specification = JsonDocument.Parse("""{"model":"dogs@champion"}""");
        await _server.Services.GetRequiredService<IBus>().Publish(new SubmitRun(id, specification.RootElement.Clone()));

        var failed = await _server.EventAsync<RunFailed>(failed => failed.RunId == id);

        Assert.Contains("model cannot be used: There is no model", failed.Reason, StringComparison.Ordinal);
    }

    private static Run NewRun() =>
        new()
        {
            Id = Guid.NewGuid(),
            Tags = [],
            Specification = ContractJson.Write(new RunSpecification()),
            State = RunState.Completed,
            SubmittedAt = DateTime.UtcNow,
            EndPublishedAt = DateTime.UtcNow,
        };

    private async Task AliasAsync(int version)
    {
        using var response = await _server.Client.PutAsJsonAsync("/api/v1/models/pets/aliases/champion", new { version });
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }
}
