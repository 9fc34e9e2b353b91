using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
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
        var runId = await cluster.SubmitAsync(new { precision = "fp32", report = false });
        await cluster.WaitForCompletionAsync(runId);
        await OkAsync(await cluster.Api.PostAsJsonAsync("/api/v1/models/shapes/versions", new { runId }));
        await OkAsync(await cluster.Api.PutAsJsonAsync("/api/v1/models/shapes/aliases/champion", new { version = 1 }));
        byte[][] images = [.. Enumerable.Range(0, 6).Select(number => ColouredFields.Draw(number))];
        var expected = new string[images.Length];
        for (var i = 0; i < images.Length; i++)
        {
            expected[i] = await PredictAsync(cluster, images[i]);
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
                    Assert.Equal(expected[i % images.Length], await PredictAsync(cluster, images[i % images.Length]));
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
        var runId = await cluster.SubmitAsync(new { precision = "fp32", report = false });
        await cluster.WaitForCompletionAsync(runId);
        await OkAsync(await cluster.Api.PostAsJsonAsync("/api/v1/models/shapes/versions", new { runId }));
        var image = ColouredFields.Draw(0);
        var expected = await PredictAsync(cluster, image, "shapes@1");
        await cluster.TerminateAsync("Evaluation", TimeSpan.FromSeconds(30));

        await cluster.WaitAsync(
            "the refusal",
            async () =>
            {
                var started = Stopwatch.GetTimestamp();
                using var response = await SendAsync(cluster, image, "shapes@1");
                var problem = await response.Content.ReadFromJsonAsync<JsonElement>();
                return (
                    response.StatusCode,
                    Detail: problem.TryGetProperty("detail", out var detail) ? detail.GetString() : null,
                    RetryAfter: response.Headers.RetryAfter?.Delta,
                    Took: Stopwatch.GetElapsedTime(started)
                );
            },
            answer =>
                answer.StatusCode == HttpStatusCode.ServiceUnavailable
                && answer.Detail == "No evaluation worker is connected."
                && answer.RetryAfter > TimeSpan.Zero
                && answer.Took < TimeSpan.FromSeconds(2)
        );

        cluster.Start("Evaluation");
        Assert.Equal(expected, await PredictAsync(cluster, image, "shapes@1"));
    }

    /// <summary>Asks until there is an answer, as a client does that is told to come again.</summary>
    private static async Task<string> PredictAsync(Cluster cluster, byte[] image, string model = "shapes@champion")
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            using var response = await SendAsync(cluster, image, model);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
                return string.Join(
                    ", ",
                    answer
                        .GetProperty("images")[0]
                        .GetProperty("classes")
                        .EnumerateArray()
                        .Select(one =>
                            FormattableString.Invariant(
                                $"{one.GetProperty("class").GetString()} {one.GetProperty("probability").GetDouble():F5}"
                            )
                        )
                );
            }

            Assert.True(
                response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests
                    && Stopwatch.GetElapsedTime(started) < Patience,
                $"{response.StatusCode} after {Stopwatch.GetElapsedTime(started)}: {await response.Content.ReadAsStringAsync()}"
            );
            await Task.Delay(response.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1));
        }
    }

    private static async Task<HttpResponseMessage> SendAsync(Cluster cluster, byte[] image, string model)
    {
        using var content = new ByteArrayContent(image);
        content.Headers.ContentType = new MediaTypeHeaderValue("image/png");
        return await cluster.Api.PostAsync($"/api/v1/models/{model}/predict?top=3", content);
    }

    private static async Task OkAsync(HttpResponseMessage response) =>
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());

    /// <summary>Patches of colour, other ones for each number.</summary>
}
