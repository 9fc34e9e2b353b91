using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Imaging;
using Distributed.Ingestion;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Registry;
using Distributed.ServiceTests;
using Distributed.Serving;
using Distributed.Storage;
using Distributed.Training;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Evaluation.Tests;

/// <summary>Two runs on the same pictures, registered as models.</summary>
public sealed class RegisteredModels : IAsyncLifetime
{
    internal ServiceHarness Services { get; private set; } = null!;

    internal Run Run { get; private set; } = null!;

    internal Run Other { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Services = await ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.AddIngestion(consumers);
                builder.AddTraining(consumers);
                builder.AddEvaluation(consumers);
            },
            ("Training:Device", "cpu")
        );
        var specification = new RunSpecification
        {
            Dataset = Services.WritePictures("pets", classes: 3, imagesAClass: 24),
            Backbone = "demo",
            InputSize = 48,
            Precision = Precision.Fp32,
            ValidationFraction = 0.3,
            Report = false,
        };
        Run = await Services.RunAsync(specification, RunState.Completed);
        Other = await Services.RunAsync(
            specification with
            {
                Training = new TrainingSpecification { Optimizer = HeadOptimizer.Adam, Epochs = 3 },
                Head = new HeadSpecification { Kind = HeadKind.Mlp, HiddenSizes = [16] },
            },
            RunState.Completed
        );
        var registry = Services.Services.GetRequiredService<ModelRegistry>();
        await registry.RegisterAsync("pets", Run.Id, null, AuditActor.Loopback, CancellationToken.None);
        await registry.RegisterAsync("pets", Other.Id, null, AuditActor.Loopback, CancellationToken.None);
    }

    public ValueTask DisposeAsync() => Services.DisposeAsync();
}

public sealed class PredictionTests(RegisteredModels models) : IClassFixture<RegisteredModels>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private ServiceHarness Services => models.Services;

    [Fact]
    public async Task Predictions_of_two_models_at_once_are_those_of_their_evaluated_heads_whatever_is_computed_together()
    {
        var first = await ReadAsync(models.Run);
        var second = await ReadAsync(models.Other);

        var answers = await Task.WhenAll(
            first.Select(test => SendAsync(1, [test.File])).Concat(second.Select(test => SendAsync(2, [test.File])))
        );

        Assert.Equal(first.Count + second.Count, answers.Length);
        Assert.All(
            first.Concat(second).Zip(answers),
            pair =>
            {
                var ((prediction, _), answer) = pair;
                Assert.Null(answer.Refused);
                var best = Assert.Single(answer.Images).Classes[0];
                Assert.Equal($"class{prediction.Predicted}", best.Class);
                Assert.Equal(prediction.Probability, best.Probability, 1e-5);
                Assert.Equal(1, answer.Images[0].Classes.Sum(one => one.Probability), 1e-5);
            }
        );
        Assert.Equal([models.Run.Id, models.Other.Id], answers.Select(answer => answer.RunId).Distinct());
    }

    [Fact]
    public async Task An_image_that_cannot_be_used_is_rejected_and_the_others_are_answered()
    {
        var picture = ServiceHarness.Picture(1, 500);

        var answer = await SendAsync(1, [picture, "no image"u8.ToArray(), picture[..40], picture], top: 2);

        Assert.Equal([true, false, false, true], answer.Images.Select(image => image.Rejected is null));
        Assert.Equal(2, answer.Images[0].Classes.Count);
        Assert.Equal(answer.Images[0].Classes, answer.Images[3].Classes);
        Assert.Contains("not an image", answer.Images[1].Rejected, StringComparison.Ordinal);
        Assert.Empty(answer.Images[2].Classes);
    }

    [Fact]
    public async Task Evidence_names_the_nearest_training_images_how_unusual_the_image_is_and_a_set_of_classes()
    {
        var split = await Services.Services.GetRequiredService<DatasetArtifacts>().ReadSplitAsync(models.Run, default);
        var manifest = await Services.Services.GetRequiredService<DatasetArtifacts>().ReadManifestAsync(models.Run.DatasetSha256!, default);
        var known = manifest.Images[split.Train[3]];
        var file = await File.ReadAllBytesAsync(Path.Combine(Services.Data("pets"), known.Name));

        var answer = await SendAsync(1, [file, Noise()], evidence: new EvidenceRequest(2, IsUnusual: true, Confidence: 0.8));

        var (familiar, strange) = (answer.Images[0].Evidence!, answer.Images[1].Evidence!);
        Assert.Equal((known.Name, known.Sha256), (familiar.Nearest![0].Image, familiar.Nearest[0].Sha256));
        Assert.Equal(1, familiar.Nearest[0].Similarity, 1e-4);
        Assert.Equal(2, familiar.Nearest.Count);
        Assert.True(strange.Distance > familiar.Distance, $"{strange.Distance} is not above {familiar.Distance}");
        Assert.InRange(strange.DistancePercentile!.Value, 0.9, 1);
        Assert.Equal(answer.Images[0].Classes[0].Class, familiar.ClassSet![0]);
        Assert.Null(familiar.Missing);
    }

    [Fact]
    public async Task A_version_that_is_not_there_is_refused()
    {
        var answer = await SendAsync(7, [ServiceHarness.Picture(0, 1)]);

        Assert.Contains("has no version 7", answer.Refused, StringComparison.Ordinal);
        Assert.Empty(answer.Images);
    }

    [Fact]
    public async Task Images_that_may_have_killed_a_worker_are_decoded_apart_with_the_same_result()
    {
        var handler = ActivatorUtilities.CreateInstance<PredictImagesHandler>(Services.Services);
        var request = new PredictImages("pets", 1, models.Run.Id, [ServiceHarness.Picture(2, 600)], 3, Evidence: null);

        var apart = await handler.HandleAsync(request, isRedelivered: true, TestContext.Current.CancellationToken);
        var here = await handler.HandleAsync(request, isRedelivered: false, TestContext.Current.CancellationToken);

        Assert.Equal(
            here.Images[0].Classes.Select(one => (one.Class, Math.Round(one.Probability, 5))),
            apart.Images[0].Classes.Select(one => (one.Class, Math.Round(one.Probability, 5)))
        );
    }

    [Fact]
    public async Task A_request_that_nobody_waits_for_any_more_is_not_computed()
    {
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Services
                .Services.GetRequiredService<Predictor>()
                .PredictAsync(
                    new PredictImages("pets", 1, models.Run.Id, [ServiceHarness.Picture(2, 600)], 3, Evidence: null),
                    LocalImageDecoding.Default,
                    gone.Token
                )
        );
    }

    [Fact]
    public async Task A_model_that_is_deleted_and_registered_again_answers_by_its_new_head()
    {
        var registry = Services.Services.GetRequiredService<ModelRegistry>();
        var predictor = Services.Services.GetRequiredService<Predictor>();
        await registry.RegisterAsync("again", models.Run.Id, null, AuditActor.Loopback, CancellationToken.None);
        var before = await AskAsync(models.Run);
        await registry.DeleteAsync("again", AuditActor.Loopback, CancellationToken.None);
        await registry.RegisterAsync("again", models.Other.Id, null, AuditActor.Loopback, CancellationToken.None);

        var after = await AskAsync(models.Other);

        // The same number, and another run's head.
        Assert.Equal((models.Run.Id, models.Other.Id), (before.RunId, after.RunId));
        Assert.NotEqual(before.HeadSha256, after.HeadSha256);

        Task<ImagesPredicted> AskAsync(Run run) =>
            predictor.PredictAsync(
                new PredictImages("again", 1, run.Id, [ServiceHarness.Picture(2, 600)], 3, Evidence: null),
                LocalImageDecoding.Default,
                CancellationToken.None
            );
    }

    [Fact]
    public async Task A_folder_is_predicted_as_its_images_are_one_by_one()
    {
        for (var image = 0; image < 7; image++)
        {
            Services.WriteFile($"new/some/{image}.png", ServiceHarness.Picture(image % 3, 700 + image));
        }

        Services.WriteFile("new/broken.png", "no image"u8.ToArray());
        Services.WriteFile("new/=1+1.png", ServiceHarness.Picture(1, 800));

        var run = await Services.ReachAsync(await SubmitAsync("new", "pets@2", models.Other.Id), RunState.Completed);

        var found = await Services.QueryAsync(context => context.DatasetPredictions.AsNoTracking().SingleAsync(row => row.RunId == run.Id));
        var volume = Services.Services.GetRequiredService<Volume>();
        var lines = (await File.ReadAllLinesAsync(volume.FullPath(found.JsonLines.Path)))
            .Select(line => JsonDocument.Parse(line).RootElement)
            .ToList();
        Assert.Equal(
            ["=1+1.png", .. Enumerable.Range(0, 7).Select(image => $"some/{image}.png")],
            lines.Select(line => line.GetProperty("image").GetString())
        );
        foreach (var line in lines)
        {
            var file = await File.ReadAllBytesAsync(Path.Combine(Services.Data("new"), line.GetProperty("image").GetString()!));
            var alone = Assert.Single((await SendAsync(2, [file], evidence: new EvidenceRequest(0, IsUnusual: true, null))).Images);
            Assert.Equal(alone.Classes[0].Class, line.GetProperty("predicted").GetString());
            Assert.All(
                alone.Classes,
                one => Assert.Equal(one.Probability, line.GetProperty("probabilities").GetProperty(one.Class).GetSingle(), 1e-5f)
            );
            Assert.Equal(alone.Evidence!.Distance!.Value, line.GetProperty("distance").GetDouble(), 1e-4);
        }

        var table = await File.ReadAllLinesAsync(volume.FullPath(found.Csv.Path));
        Assert.Equal("image,sha256,predicted,probability,distance,percentile,p_class0,p_class1,p_class2", table[0]);
        Assert.Equal(9, table.Length);
        // A spreadsheet must not compute it.
        Assert.StartsWith("\"'=1+1.png\",", table[1], StringComparison.Ordinal);
        var counts = JsonSerializer.Deserialize<List<PredictedClass>>(found.Classes, JsonSerializerOptions.Web)!;
        Assert.Equal((8, 8), (found.Images, counts.Sum(one => one.Images)));
        var expected = new RunPredicted(run.Id, null, "pets@2", 8, found.Csv.Path, found.JsonLines.Path);
        await ServiceHarness.UntilAsync(() => Task.FromResult(Services.Events.Contains(expected)));
    }

    [Fact]
    public async Task A_run_whose_model_was_deleted_fails_and_says_so()
    {
        var registry = Services.Services.GetRequiredService<ModelRegistry>();
        await registry.RegisterAsync("gone", models.Run.Id, null, AuditActor.Loopback, CancellationToken.None);
        await registry.DeleteAsync("gone", AuditActor.Loopback, CancellationToken.None);

        var run = await Services.ReachAsync(await SubmitAsync("pets", "gone@1", models.Run.Id), RunState.Failed);

        Assert.Contains("gone", run.Failure, StringComparison.Ordinal);
        Assert.Equal(FailureCause.Input, run.FailureCause);
    }

    private Task<Guid> SubmitAsync(string folder, string model, Guid modelRunId) =>
        Services.SubmitAsync(
            new RunSpecification
            {
                Dataset = Services.Data(folder),
                InputSize = 48,
                Precision = Precision.Fp32,
                Model = model,
            },
            modelRunId
        );

    private static byte[] Noise()
    {
        const int Side = 48;
        var pixels = new byte[Side * Side * 3];
        new Random(1).NextBytes(pixels);
        return PngEncoder.Encode(pixels, Side, Side);
    }

    private Task<ImagesPredicted> SendAsync(int version, IReadOnlyList<byte[]> images, int top = 3, EvidenceRequest? evidence = null) =>
        Services
            .Services.GetRequiredService<RequestSender>()
            .SendAsync<PredictImages, ImagesPredicted>(
                RequestKind.PredictImages,
                new PredictImages("pets", version, version == 2 ? models.Other.Id : models.Run.Id, images, top, evidence),
                Patience,
                TestContext.Current.CancellationToken
            );

    /// <summary>What was predicted for the test images of a run, and their files.</summary>
    private async Task<IReadOnlyList<(TestPrediction Prediction, byte[] File)>> ReadAsync(Run run)
    {
        var datasets = Services.Services.GetRequiredService<DatasetArtifacts>();
        var evaluation = await Services.QueryAsync(context => context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == run.Id));
        var manifest = await datasets.ReadManifestAsync(run.DatasetSha256!, default);
        var predictions = await datasets.ReadJsonAsync<IReadOnlyList<TestPrediction>>(evaluation.Predictions, default);
        return
        [
            .. predictions.Select(prediction =>
                (prediction, File.ReadAllBytes(Path.Combine(Services.Data("pets"), manifest.Images[prediction.Image].Name)))
            ),
        ];
    }
}
