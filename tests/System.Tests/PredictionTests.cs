using System.Diagnostics;
using System.Net;
using Distributed.Client;
using Distributed.Contracts;
using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class PredictionTests
{
    private const int Clients = 8;
    private const int Kills = 4;

    /// <summary>How long a client tries to get one answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Workers_that_are_killed_cost_no_answer_and_no_answer_is_wrong()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        cluster.Start("Evaluation", "Evaluation-2");
        await RegisterAsync(cluster);
        using var patient = new DistributedClient(cluster.Api) { Patience = Patience };
        await patient.PromoteAsync("shapes", "champion", 1);
        byte[][] images = [.. Enumerable.Range(0, 6).Select(number => ColouredFields.Draw(number))];
        var expected = new string[images.Length];
        for (var i = 0; i < images.Length; i++)
        {
            expected[i] = await PredictAsync(patient, images[i]);
        }

        Assert.True(expected.Distinct(StringComparer.Ordinal).Count() > 3, "The images are all alike.");

        using var stop = new CancellationTokenSource();
        var answers = 0;
        var clients = Enumerable
            .Range(0, Clients)
            .Select(async client =>
            {
                for (var i = client; !stop.IsCancellationRequested; i++)
                {
                    Assert.Equal(expected[i % images.Length], await PredictAsync(patient, images[i % images.Length]));
                    Interlocked.Increment(ref answers);
                }
            })
            .ToList();
        for (var kill = 0; kill < Kills; kill++)
        {
            var name = kill % 2 == 0 ? "Evaluation" : "Evaluation-2";
            var before = Volatile.Read(ref answers);
            await cluster.WaitAsync("answers", () => Task.FromResult(Volatile.Read(ref answers)), count => count > before + 20);
            await cluster.KillAsync(name);
            var host = cluster.Start("Evaluation", name);
            await host.WaitForHealthyAsync(new Uri(cluster.Address(name), "/health/ready"), TimeSpan.FromSeconds(60));
        }

        await stop.CancelAsync();
        await Task.WhenAll(clients);
    }

    [Fact]
    public async Task Without_a_worker_a_prediction_is_refused_at_once_and_is_possible_again_when_one_is_there()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        await RegisterAsync(cluster);
        var image = ColouredFields.Draw(0);
        using var patient = new DistributedClient(cluster.Api) { Patience = Patience };
        var expected = await PredictAsync(patient, image, "shapes@1");
        await cluster.TerminateAsync("Evaluation", TimeSpan.FromSeconds(30));

        await cluster.WaitAsync(
            "the refusal",
            async () =>
            {
                var started = Stopwatch.GetTimestamp();
                try
                {
                    await PredictAsync(cluster.Client, image, "shapes@1");
                    return false;
                }
                catch (ApiException refused)
                {
                    return refused is { Status: HttpStatusCode.ServiceUnavailable, Message: "No evaluation worker is connected." }
                        && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(2);
                }
            },
            refused => refused
        );

        cluster.Start("Evaluation");
        Assert.Equal(expected, await PredictAsync(patient, image, "shapes@1"));
    }

    [Fact]
    public async Task A_folder_is_predicted_by_several_workers_one_of_which_is_killed_as_its_images_are_one_by_one()
    {
        const int Images = 320;
        var data = Directory.CreateTempSubdirectory("distributed-predicted-");
        try
        {
            for (var i = 0; i < Images; i++)
            {
                await File.WriteAllBytesAsync(Path.Combine(data.FullName, $"{i:D3}.png"), ColouredFields.Draw(i));
            }

            var settings = new Dictionary<string, string?>(SampleRun.Settings) { ["Data__Roots__1"] = data.FullName };
            await using var cluster = await Cluster.StartAsync(settings);
            var other = cluster.Start("Training", "Training-2");
            await RegisterAsync(cluster);

            var run = await cluster.Client.SubmitRunAsync(new RunSpecification { Dataset = data.FullName, Model = "shapes@1" });
            await cluster.WaitAsync(
                "a shard that the other trainer computes",
                () =>
                    cluster.QueryAsync<long>(
                        $"""
                        select count(*) from attempts a join jobs j on j.id = a.job_id join runs r on r.feature_set_key = j.scope
                        where r.id = '{run.RunId}' and a.worker like '%/{other.Id}'
                        """
                    ),
                count => count > 0
            );
            await cluster.KillAsync("Training-2");
            await cluster.WaitForCompletionAsync(run.RunId);

            var seen = 0;
            await foreach (var one in cluster.Client.ReadPredictionsAsync(run.RunId))
            {
                Assert.Equal($"{seen:D3}.png", one.Image);
                if (seen++ % 16 == 0)
                {
                    var alone = await cluster.Client.PredictAsync(
                        "shapes@1",
                        [await File.ReadAllBytesAsync(Path.Combine(data.FullName, one.Image))],
                        new PredictionOptions { Top = 10, Unusual = true }
                    );
                    Assert.Equal(alone.Images[0].Classes[0].Class, one.Predicted);
                    Assert.All(
                        alone.Images[0].Classes,
                        expected => Assert.Equal(expected.Probability, one.Probabilities[expected.Class], 1e-5)
                    );
                    Assert.Equal(alone.Images[0].Evidence!.Distance!.Value, one.Distance!.Value, 1e-3);
                }
            }

            Assert.Equal(Images, seen);
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    private static async Task RegisterAsync(Cluster cluster)
    {
        var client = cluster.Client;
        var run = await client.SubmitRunAsync(new RunSpecification { Precision = Precision.Fp32, Report = false });
        await cluster.WaitForCompletionAsync(run.RunId);
        await client.RegisterVersionAsync("shapes", run.RunId);
    }

    private static async Task<string> PredictAsync(DistributedClient client, byte[] image, string model = "shapes@champion")
    {
        var answer = await client.PredictAsync(model, [image], new PredictionOptions { Top = 3 });
        return string.Join(", ", answer.Images[0].Classes.Select(one => FormattableString.Invariant($"{one.Class} {one.Probability:F5}")));
    }
}
