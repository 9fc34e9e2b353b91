using System.Net;
using Distributed.Contracts;

namespace Distributed.Client.Tests;

/// <summary>What the client reads of runs, models, data sets and the system.</summary>
public sealed class ReadingTests(Served served) : IDisposable
{
    private readonly DistributedClient _client = new(served.Server.Api.BaseAddress!);

    private Guid RunId => served.Server.RunId;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task It_knows_who_asks() => Assert.Equal(new Identity("loopback", "local", "operator"), await _client.GetIdentityAsync());

    [Fact]
    public async Task Runs_are_filtered_by_all_conditions_sorted_and_read_page_by_page()
    {
        foreach (var seed in (int[])[1, 2, 3])
        {
            await _client.WaitForRunAsync((await _client.SubmitRunAsync(Small($"page {seed}") with { Seed = seed })).RunId);
        }

        var filter = new RunListFilter
        {
            Name = "page",
            State = RunState.Completed,
            Where = ["seed>=2", "inputSize=32"],
            Sort = "name",
            Limit = 1,
        };
        var first = await _client.GetRunsAsync(filter);
        var second = await _client.GetRunsAsync(filter with { After = first.Next });

        Assert.Equal(["page 2", "page 3"], [Assert.Single(first.Items).Name, Assert.Single(second.Items).Name]);
        Assert.Null(second.Next);
        Assert.Equal(
            HttpStatusCode.BadRequest,
            (await Assert.ThrowsAsync<ApiException>(() => _client.GetRunsAsync(new RunListFilter { Where = ["nonsense"] }))).Status
        );
    }

    [Fact]
    public async Task A_runs_metrics_hold_its_path_and_its_result()
    {
        var metrics = await _client.GetMetricsAsync(RunId);

        Assert.Empty(metrics.Epochs);
        Assert.NotEmpty(metrics.Penalties);
        var test = metrics.Evaluation!;
        Assert.InRange(test.TestAccuracy, test.TestAccuracyLow, test.TestAccuracyHigh);
        Assert.Equal(test.Classes.Count, test.ConfusionMatrix.Count);
        Assert.Equal(test.TestImages, test.ConfusionMatrix.Sum(row => row.Sum()));
    }

    [Fact]
    public async Task A_runs_jobs_come_with_their_attempts()
    {
        var done = await _client.GetJobsAsync(RunId, "done");

        Assert.Contains(done.Items, job => job is { Kind: "TrainHead", IsShared: false });
        Assert.All(done.Items, job => Assert.Equal("done", job.Attempts[^1].Outcome));
        Assert.Empty((await _client.GetJobsAsync(RunId, "failed")).Items);
        var later = await _client.GetJobsAsync(RunId, after: done.Items[0].Id);
        Assert.DoesNotContain(later.Items, job => job.Id == done.Items[0].Id);
    }

    [Fact]
    public async Task A_runs_images_and_labels_are_read_page_by_page()
    {
        var images = (await _client.GetMetricsAsync(RunId)).Evaluation!.TestImages;
        var right = await _client.GetTestedImagesAsync(RunId, new TestedImageFilter { Right = true, Limit = 1 });
        var wrong = await _client.GetTestedImagesAsync(RunId, new TestedImageFilter { Right = false, Sort = "confident" });
        Assert.Equal(images, right.Total + wrong.Total);
        Assert.True(Assert.Single(right.Items).IsRight);
        Assert.Equal(wrong.Items.OrderByDescending(image => image.Probability), wrong.Items);

        var labels = await _client.GetLabelsAsync(RunId, limit: 10);
        var next = await _client.GetLabelsAsync(RunId, after: labels.Next, limit: 10);
        Assert.Equal((10, 10, labels.Total), (labels.Items.Count, next.Items.Count, next.Total));
        Assert.True(labels.Items[^1].ClassProbability <= next.Items[0].ClassProbability);
        Assert.All((await _client.GetLabelsAsync(RunId, doubted: true)).Items, label => Assert.NotEqual(label.ClassName, label.Suggested));
    }

    [Fact]
    public async Task Two_runs_are_compared_image_by_image()
    {
        var other = await _client.WaitForRunAsync(
            (await _client.SubmitRunAsync(Small("weaker") with { Training = new() { Penalties = [100] } })).RunId
        );

        var comparison = await _client.CompareRunsAsync([RunId, other.RunId]);
        var disagreements = await _client.GetDisagreementsAsync(RunId, other.RunId);

        Assert.Equal([RunId, other.RunId], comparison.Runs.Select(run => run.RunId));
        Assert.Contains(comparison.Settings, setting => setting.Field == "training.penalties");
        Assert.Equal(disagreements.Total, comparison.Test!.FirstOnly + comparison.Test.SecondOnly);
        Assert.All(disagreements.Items, image => Assert.NotEqual(image.First.IsRight, image.Second.IsRight));
    }

    [Fact]
    public async Task A_model_is_read_compared_and_loses_an_alias()
    {
        var other = await _client.WaitForRunAsync(
            (await _client.SubmitRunAsync(Small("other version") with { Training = new() { Penalties = [1] } })).RunId
        );
        await _client.RegisterVersionAsync("compared", RunId);
        await _client.RegisterVersionAsync("compared", other.RunId);
        await _client.PromoteAsync("compared", "challenger", 2);

        var comparison = await _client.CompareVersionsAsync("compared", 2, 1);
        await _client.RemoveAliasAsync("compared", "challenger");

        Assert.Equal(comparison.Right - comparison.RightAlone, comparison.OtherRight - comparison.OtherRightAlone);
        var model = await _client.GetModelAsync("compared");
        Assert.Empty(model.Aliases);
        Assert.Equal([2, 1], model.Versions.Select(version => version.Number));
        Assert.Equal([(2, null), (null, 2)], model.Moves.Select(move => (move.From, move.To)));
        Assert.Contains((await _client.GetModelsAsync(other.RunId)).Items, one => one.Name == "compared");
    }

    [Fact]
    public async Task Data_sets_and_bases_are_read()
    {
        var sha256 = (await _client.GetRunAsync(RunId)).DatasetSha256!;
        var dataset = await _client.GetDatasetAsync(sha256);
        var classes = await _client.GetClassesAsync(sha256, samples: 2);

        Assert.Contains((await _client.GetDatasetsAsync()).Items, one => one.Sha256 == sha256);
        Assert.Equal(dataset.ClassNames, classes.Items.Select(one => one.Name));
        Assert.Equal(dataset.ImageCount, classes.Items.Sum(one => one.Images));
        Assert.All(classes.Items, one => Assert.Equal(2, one.Samples.Count));
        Assert.True(Assert.Single(await _client.GetBackbonesAsync(), one => one.Name == "demo").IsHere);
    }

    [Fact]
    public async Task The_system_is_read()
    {
        Assert.Equal("alive", Assert.Single(await _client.GetWorkersAsync()).State);
        Assert.Contains(await _client.GetQueuesAsync(), queue => queue is { Kind: "EvaluateHead", Service: "evaluation" });
        Assert.Empty((await _client.GetDeadLettersAsync(open: true)).Items);
        Assert.Equal(HttpStatusCode.NotFound, (await Assert.ThrowsAsync<ApiException>(() => _client.RequeueAsync(Guid.NewGuid()))).Status);
        Assert.True((await _client.CollectAsync(dryRun: true)).DryRun);
        var log = await _client.GetAuditAsync(subject: $"{RunId:D}", actor: "loopback");
        Assert.Contains(log.Items, entry => entry.Action == "runSubmitted");
    }

    private static RunSpecification Small(string name) =>
        new()
        {
            Name = name,
            InputSize = 32,
            Precision = Precision.Fp32,
            Report = false,
        };
}
