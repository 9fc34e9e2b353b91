using System.Net;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Tests;

public sealed class SubmissionTests : IAsyncLifetime
{
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_submitted_run_is_accepted_with_its_address_and_its_whole_specification()
    {
        using var response = await _server.PostAsync("""{"name":"first","tags":["a","b"],"submitter":"me","training":{"epochs":3}}""");

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var body = await AdminServer.JsonAsync(response);
        var summary = body.GetProperty("summary");
        Assert.Equal($"/api/v1/runs/{summary.GetProperty("runId").GetString()}", response.Headers.Location!.ToString());
        Assert.Equal(
            ("first", "me", "submitted", "a,b"),
            (
                summary.GetProperty("name").GetString(),
                summary.GetProperty("submitter").GetString(),
                summary.GetProperty("state").GetString(),
                string.Join(',', summary.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()))
            )
        );
        Assert.Equal(3, body.GetProperty("specification").GetProperty("training").GetProperty("epochs").GetInt32());
        Assert.Equal("sample", body.GetProperty("specification").GetProperty("dataset").GetString());
        Assert.Equal(
            JsonSerializer.Serialize(body),
            JsonSerializer.Serialize(await _server.GetAsync(response.Headers.Location!.ToString()))
        );
    }

    [Fact]
    public async Task A_submitted_run_is_sent_on_its_way()
    {
        var run = await _server.SubmitAsync();

        var job = await _server.QueryAsync(context => context.Jobs.SingleAsync(job => job.Scope == run.ToString()));
        Assert.Equal((nameof(IngestDataset), JobState.Pending), (job.Kind, job.State));
        Assert.NotNull(job.DispatchedAt);
    }

    [Fact]
    public async Task The_same_key_and_specification_give_the_same_run_however_the_json_is_written()
    {
        var first = await _server.SubmitAsync("""{"seed":4,"name":"x"}""", "key");
        var second = await _server.SubmitAsync("""{ "name": "x", "seed": 4, "topK": 5 }""", "key");
        var other = await _server.SubmitAsync("""{"seed":4,"name":"x"}""", "other key");

        Assert.Equal(first, second);
        Assert.NotEqual(first, other);
        Assert.Equal(2, await _server.QueryAsync(context => context.Runs.CountAsync()));
    }

    [Fact]
    public async Task Requests_with_one_key_at_the_same_time_make_one_run()
    {
        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _server.SubmitAsync("""{"seed":1}""", "same")));

        Assert.Single(runs.Distinct());
        Assert.Equal(1, await _server.QueryAsync(context => context.Runs.CountAsync()));
    }

    [Fact]
    public async Task The_same_key_with_another_specification_is_a_conflict_that_names_the_first_run()
    {
        var first = await _server.SubmitAsync("""{"seed":1}""", "key");

        using var response = await _server.PostAsync("""{"seed":2}""", "key");

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.Conflict);
        Assert.Contains(first.ToString(), problem.GetProperty("detail").GetString());
        Assert.Equal(1, await _server.QueryAsync(context => context.Runs.CountAsync()));
    }

    [Fact]
    public async Task A_key_that_is_too_long_is_refused()
    {
        using var response = await _server.PostAsync("{}", new string('k', 201));

        Assert.Equal(["Idempotency-Key"], await ErrorsAsync(response));
    }

    [Theory]
    [InlineData("""{"backbone":"restnet50"}""", "backbone", "there is no base of that name; there are demo, imagenet")]
    [InlineData("""{"architecture":"vgg"}""", "architecture", "densenet121, densenet169")]
    public async Task A_base_or_network_that_is_not_there_is_refused_with_those_that_are(string specification, string field, string said)
    {
        using var response = await _server.PostAsync(specification);

        Assert.Contains(said, await response.Content.ReadAsStringAsync());
        Assert.Equal([field], await ErrorsAsync(response));
        Assert.Equal(0, await _server.QueryAsync(context => context.Runs.CountAsync()));
    }

    [Fact]
    public async Task Everything_that_is_out_of_range_is_named_at_once()
    {
        using var response = await _server.PostAsync(
            """
            {"inputSize":7,"validationFraction":1,"testFraction":0,"topK":0,"fold":-1,"dataset":" ",
             "head":{"dropout":1,"hiddenSizes":[]},"training":{"epochs":0,"batchSize":0,"learningRate":0,"weightDecay":-1,"patience":0}}
            """
        );

        Assert.Equal(
            [
                "dataset",
                "fold",
                "head.dropout",
                "head.hiddenSizes",
                "inputSize",
                "testFraction",
                "topK",
                "training.batchSize",
                "training.epochs",
                "training.learningRate",
                "training.patience",
                "training.weightDecay",
                "validationFraction",
            ],
            await ErrorsAsync(response)
        );
        Assert.Equal(0, await _server.QueryAsync(context => context.Runs.CountAsync()));
    }

    [Fact]
    public async Task Wrong_types_names_and_repeated_fields_are_named_at_once_in_plain_words()
    {
        using var response = await _server.PostAsync("""{"fit":"squash","inputSize":"224","seed":1,"seed":2,"training":{"epoch":5}}""");

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        Assert.Equal(
            [
                "fit: is \"squash\"; it must be crop, pad or stretch",
                "inputSize: is \"224\"; it must be a whole number from 32 to 1024",
                "seed: is given twice; give it once",
                "training.epoch: is an unknown field; did you mean training.epochs?",
            ],
            problem.GetProperty("errors").EnumerateObject().Select(error => $"{error.Name}: {error.Value[0].GetString()}")
        );
    }

    [Theory]
    [InlineData("""{"epochs":3}""", "epochs", "did you mean training.epochs?")]
    [InlineData("""{"training":{"epoch":3}}""", "training.epoch", "did you mean training.epochs?")]
    [InlineData("""{"fit":"squash"}""", "fit", "squash")]
    [InlineData("""{"precision":1}""", "precision", "1")]
    [InlineData("""{"training":{"epochs":"many"}}""", "training.epochs", "many")]
    [InlineData("""{"head":null}""", "head", "null")]
    [InlineData("""{"tags":[""]}""", "tags", "1 to 100")]
    [InlineData("null", "specification", "null")]
    [InlineData("[]", "specification", "")]
    [InlineData("\"sample\"", "specification", "")]
    public async Task A_wrong_field_is_named_with_what_is_wrong_with_it(string body, string field, string said)
    {
        using var response = await _server.PostAsync(body);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        var error = Assert.Single(problem.GetProperty("errors").EnumerateObject());
        Assert.Equal(field, error.Name);
        Assert.Contains(said, error.Value[0].GetString());
    }

    [Theory]
    [InlineData("hello")]
    [InlineData("")]
    [InlineData("{\"seed\":1")]
    public async Task What_is_no_json_is_refused_and_called_so(string body)
    {
        using var response = await _server.PostAsync(body);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        Assert.Contains("JSON", problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Another_media_type_is_refused()
    {
        using var response = await _server.PostAsync("{}", mediaType: "text/plain");

        await AdminServer.ProblemAsync(response, HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task A_body_of_more_than_a_megabyte_is_refused()
    {
        using var response = await _server.PostAsync($$"""{"name":"{{new string('x', 1 << 20)}}"}""");

        await AdminServer.ProblemAsync(response, HttpStatusCode.RequestEntityTooLarge);
    }

    private static async Task<IEnumerable<string>> ErrorsAsync(HttpResponseMessage response)
    {
        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest);
        return problem.GetProperty("errors").EnumerateObject().Select(error => error.Name).Order(StringComparer.Ordinal);
    }
}
