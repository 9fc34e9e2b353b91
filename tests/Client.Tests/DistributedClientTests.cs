using System.Net;
using Distributed.Contracts;
using Distributed.TestServers;

namespace Distributed.Client.Tests;

public sealed class DistributedClientTests(Served served) : IDisposable
{
    private readonly DistributedClient _client = new(served.Server.Api.BaseAddress!);

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task A_run_is_submitted_watched_and_found_again()
    {
        var seen = new List<RunState>();
        var run = await _client.SubmitRunAsync(Small("watched"), idempotencyKey: "watched");
        var again = await _client.SubmitRunAsync(Small("watched"), idempotencyKey: "watched");

        var ended = await _client.WaitForRunAsync(run.RunId, new Heard(detail => seen.Add(detail.Summary.State)));

        Assert.Equal(run.RunId, again.RunId);
        Assert.Equal((RunState.Completed, true), (ended.State, ended.HasEnded));
        Assert.InRange(ended.TestAccuracy!.Value, ended.TestAccuracyLow!.Value, ended.TestAccuracyHigh!.Value);
        Assert.Equal(RunState.Completed, seen[^1]);
        var detail = await _client.GetRunAsync(run.RunId);
        Assert.Equal(64, detail.HeadSha256!.Length);
        Assert.Equal("watched", detail.Specification.GetProperty("name").GetString());
        Assert.Equal(run.RunId, Assert.Single(await ListAsync(_client.ListRunsAsync(RunState.Completed, name: "watched"))).RunId);
        Assert.NotEmpty((await _client.GetRunMetricsAsync(run.RunId)).GetProperty("penalties").EnumerateArray());

        await _client.DeleteRunAsync(run.RunId);
        Assert.Equal(HttpStatusCode.NotFound, (await Assert.ThrowsAsync<ApiException>(() => _client.GetRunAsync(run.RunId))).Status);
    }

    [Fact]
    public async Task A_listener_hears_a_run_from_its_submission_to_its_end()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var ready = await FirstAsync(_client.ListenAsync(cancellationToken: patience.Token));
        var run = await _client.SubmitRunAsync(Small("heard") with { SplitSeed = 7 });

        var heard = new List<LiveEvent>();
        await foreach (var one in _client.ListenAsync(run.RunId, ready.Id, patience.Token))
        {
            heard.Add(one);
            if (one.Kind == "result")
            {
                break;
            }
        }

        Assert.Equal("ready", ready.Kind);
        Assert.Equal(heard.Count, heard.Select(one => one.Id).Distinct(StringComparer.Ordinal).Count());
        var states = heard
            .Where(one => one.Kind == "run" && one.Data.GetProperty("change").GetString() != "edited")
            .Select(one => one.Data.GetProperty("state").GetString())
            .ToList();
        Assert.Equal(["submitted", "ingesting", "extracting", "training", "evaluating", "completed"], states);
        Assert.All(heard.Where(one => one.Kind == "run"), one => Assert.Equal(run.RunId, one.RunId));
        Assert.Contains(heard, one => one.Kind == "epoch" && one.Data.TryGetProperty("penalty", out _));
        Assert.Contains(
            heard,
            one => one.Kind == "progress" && one.Data.GetProperty("done").GetInt64() == one.Data.GetProperty("total").GetInt64()
        );
    }

    [Fact]
    public async Task A_run_is_cancelled_and_retried()
    {
        var run = await _client.SubmitRunAsync(Small("cancelled") with { InputSize = 128 });

        Assert.Equal(RunState.Cancelled, (await _client.CancelRunAsync(run.RunId)).Summary.State);
        Assert.False((await _client.RetryRunAsync(run.RunId)).Summary.HasEnded);
        Assert.Equal(RunState.Completed, (await _client.WaitForRunAsync(run.RunId)).State);
    }

    [Fact]
    public async Task A_model_is_registered_promoted_rolled_back_and_exported()
    {
        var first = await _client.RegisterVersionAsync("kept", served.Server.RunId, "by the client");
        var run = await _client.WaitForRunAsync((await _client.SubmitRunAsync(Small("second") with { SplitSeed = 5 })).RunId);
        var second = await _client.RegisterVersionAsync("kept", run.RunId);

        Assert.Equal(("kept", 1, "by the client"), (first.Model, first.Number, first.Note));
        Assert.Equal(1, (await _client.PromoteAsync("kept", "champion", 1)).Version);
        Assert.Equal(2, (await _client.PromoteAsync("kept", "champion", second.Number, reason: "newer")).Version);
        Assert.Equal(1, (await _client.RollBackAsync("kept", "champion", "older was better")).Version);
        var model = Assert.Single(await ListAsync(_client.ListModelsAsync()), model => model.Name == "kept");
        Assert.Equal((2, 1), (model.Versions, model.Aliases["champion"]));
        Assert.Equal(run.RunId, (await _client.GetVersionAsync("kept", 2)).RunId);

        using var head = new MemoryStream();
        await _client.ExportAsync("kept@champion", head, ModelFile.Head);
        Assert.True(head.Length > 1000);
        using var card = new MemoryStream();
        await _client.ExportAsync("kept@2", card, ModelFile.Card);
        Assert.Contains("# kept, version 2", System.Text.Encoding.UTF8.GetString(card.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Images_are_predicted_with_what_supports_it()
    {
        var options = new PredictionOptions
        {
            Top = 2,
            Neighbours = 3,
            Unusual = true,
            Confidence = 0.9,
        };
        using var image = new MemoryStream(ColouredFields.Draw(1));

        var one = await _client.PredictAsync("shapes@champion", image, options);
        var two = await _client.PredictAsync("shapes@1", [ColouredFields.Draw(1), "no image"u8.ToArray()]);

        Assert.Equal(2, one.Classes.Count);
        Assert.Equal(3, one.Evidence!.Nearest!.Count);
        Assert.InRange(one.Evidence.DistancePercentile!.Value, 0, 1);
        Assert.NotEmpty(one.Evidence.ClassSet!);
        Assert.Equal(one.Classes[0], two.Images[0].Classes[0]);
        Assert.NotNull(two.Images[1].Rejected);
    }

    [Fact]
    public async Task A_data_set_is_predicted_image_by_image()
    {
        var run = await _client.SubmitRunAsync(new RunSpecification { Model = "shapes@champion", Name = "predicted" });

        var ended = await _client.WaitForRunAsync(run.RunId);
        var detail = await _client.GetRunAsync(run.RunId);
        var predictions = await ListAsync(_client.ReadPredictionsAsync(run.RunId));

        Assert.Equal((RunState.Completed, "shapes@1"), (ended.State, ended.Model));
        Assert.Equal(detail.Predictions!.Images, predictions.Count);
        Assert.All(
            detail.Predictions.Classes,
            counted => Assert.Equal(counted.Images, predictions.Count(one => one.Predicted == counted.ClassName))
        );
        Assert.All(predictions, one => Assert.Equal(one.Probability, one.Probabilities[one.Predicted]));
    }

    [Fact]
    public async Task What_is_refused_names_the_fields_and_the_reason()
    {
        var wrong = await Assert.ThrowsAsync<ApiException>(() => _client.SubmitRunAsync(Small("wrong") with { InputSize = 7 }));
        Assert.Equal(HttpStatusCode.BadRequest, wrong.Status);
        Assert.Contains("inputSize", Assert.Single(wrong.Errors).Key, StringComparison.Ordinal);
        Assert.Contains("inputSize", wrong.Message, StringComparison.Ordinal);

        var unknown = await Assert.ThrowsAsync<ApiException>(() => _client.PredictAsync("nothing@1", [ColouredFields.Draw(1)]));
        Assert.Equal(HttpStatusCode.NotFound, unknown.Status);
        Assert.Contains("nothing", unknown.Message, StringComparison.Ordinal);
    }

    private static async Task<LiveEvent> FirstAsync(IAsyncEnumerable<LiveEvent> events)
    {
        await foreach (var one in events)
        {
            return one;
        }

        throw new InvalidOperationException("There is none.");
    }

    private static RunSpecification Small(string name) =>
        new()
        {
            Name = name,
            InputSize = 32,
            Precision = Precision.Fp32,
            Report = false,
        };

    private static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> items)
    {
        var all = new List<T>();
        await foreach (var item in items)
        {
            all.Add(item);
        }

        return all;
    }

    private sealed class Heard(Action<RunDetail> hear) : IProgress<RunDetail>
    {
        public void Report(RunDetail value) => hear(value);
    }
}
