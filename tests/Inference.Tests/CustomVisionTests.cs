using System.Net.Http.Json;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Inference.Tests;

/// <summary>Microsoft's own client, unchanged, asks this server.</summary>
public sealed class CustomVisionTests(ServedSample sample) : IAsyncLifetime
{
    private static readonly SemaphoreSlim Installing = new(1);
    private static readonly string Client = Path.Combine(AppContext.BaseDirectory, "azure-client");

    private Guid _project;

    public async ValueTask InitializeAsync()
    {
        await Installing.WaitAsync();
        try
        {
            if (!Directory.Exists(Path.Combine(Client, "node_modules", "@azure", "cognitiveservices-customvision-prediction")))
            {
                await FinishedProgram.RunAsync(
                    "npm",
                    ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"],
                    Client
                );
            }
        }
        finally
        {
            Installing.Release();
        }

        var model = await sample.Api.GetFromJsonAsync<JsonElement>("/api/v1/models/shapes");
        _project = model.GetProperty("customVisionProject").GetGuid();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [InlineData("image", "champion")]
    [InlineData("nostore", "Iteration1")]
    [InlineData("image", "1")]
    public async Task Its_client_gets_the_probabilities_of_all_tags(string method, string publishedName)
    {
        var file = sample.Server.Write($"{method}-{publishedName}.png", sample.Images[1]);

        var answer = await ClassifyAsync(sample.PredictorKey, _project, publishedName, method, file);

        var expected = await sample.PredictAsync(sample.Images[1]);
        Assert.Equal(_project, answer.GetProperty("project").GetGuid());
        var predictions = answer.GetProperty("predictions").EnumerateArray().ToList();
        Assert.Equal(expected.Count, predictions.Count);
        Assert.All(
            predictions,
            one =>
            {
                Assert.Equal(expected[one.GetProperty("tagName").GetString()!], one.GetProperty("probability").GetDouble(), 1e-5);
                Assert.Equal("Regular", one.GetProperty("tagType").GetString());
            }
        );
        Assert.Equal(predictions.Count, predictions.Select(one => one.GetProperty("tagId").GetGuid()).Distinct().Count());
    }

    [Fact]
    public async Task Errors_have_the_codes_that_its_callers_know()
    {
        var image = sample.Server.Write("error.png", sample.Images[0]);
        var text = sample.Server.Write("error.txt", "no image"u8.ToArray());

        await RefusesAsync("NotFoundProject", 404, Guid.NewGuid(), "champion", "image", image);
        await RefusesAsync("NotFoundIteration", 404, _project, "other", "image", image);
        await RefusesAsync("BadRequestImageFormat", 400, _project, "champion", "image", text);
        await RefusesAsync("BadRequestImageStream", 400, _project, "champion", "url", "http://127.0.0.1/photo.jpg");
        var unknown = await ClassifyAsync("dstk_unknown", _project, "champion", "image", image);
        Assert.Equal(401, unknown.GetProperty("status").GetInt32());
    }

    private async Task RefusesAsync(string code, int status, Guid project, string publishedName, string method, string source)
    {
        var answer = await ClassifyAsync(sample.PredictorKey, project, publishedName, method, source);
        Assert.Equal((code, status), (answer.GetProperty("code").GetString(), answer.GetProperty("status").GetInt32()));
        Assert.NotEmpty(answer.GetProperty("message").GetString()!);
    }

    private async Task<JsonElement> ClassifyAsync(string key, Guid project, string publishedName, string method, string source)
    {
        var endpoint = sample.Api.BaseAddress!.ToString().TrimEnd('/');
        var (output, _) = await FinishedProgram.RunAsync(
            "node",
            ["classify.js", endpoint, key, project.ToString("D"), publishedName, method, source],
            Client
        );
        using var json = JsonDocument.Parse(output);
        return json.RootElement.Clone();
    }
}
