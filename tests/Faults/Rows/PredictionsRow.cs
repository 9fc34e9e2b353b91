using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>An Evaluation worker is killed every two seconds while clients ask for predictions.</summary>
internal sealed class PredictionsRow : IFaultRow
{
    private const int Clients = 16;
    private const int Workers = 3;
    private const int Images = 24;
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(2);

    /// <summary>How long the row takes where the command line allows as much.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    /// <summary>How long a client tries to get one answer, coming again when it is told to.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public string Name => "predictions";

    public async Task RunAsync(FaultLab lab)
    {
        await using var cluster = await lab.StartClusterAsync(lab.Workload.Settings);
        string[] workers = ["Evaluation", .. Enumerable.Range(2, Workers - 1).Select(number => $"Evaluation-{number}")];
        foreach (var worker in workers.Skip(1))
        {
            cluster.Start("Evaluation", worker);
        }

        var runId = await cluster.SubmitAsync(new { precision = "fp32", report = false });
        await cluster.WaitForCompletionAsync(runId);
        (await cluster.Api.PostAsJsonAsync("/api/v1/models/shapes/versions", new { runId })).EnsureSuccessStatusCode();
        byte[][] images = [.. Enumerable.Range(0, Images).Select(seed => ColouredFields.Draw(seed))];
        var expected = new string[images.Length];
        for (var i = 0; i < images.Length; i++)
        {
            expected[i] = (await PredictAsync(cluster, images[i]))!;
        }

        using var end = new CancellationTokenSource(lab.Length < Longest ? lab.Length : Longest);
        var (answers, slowest) = (0, TimeSpan.Zero);
        var clients = Enumerable.Range(0, Clients).Select(AskAsync).ToList();
        while (!end.IsCancellationRequested)
        {
            await Task.Delay(Pace, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var worker = workers[lab.Next(workers.Length)];
            await cluster.KillAsync(worker);
            lab.Inject();
            cluster.Start("Evaluation", worker);
        }

        await Task.WhenAll(clients);
        Hosts.TellOfEnded(lab, cluster);
        lab.Note(FormattableString.Invariant($"{answers:N0} answers, the slowest after {slowest.TotalSeconds:F1} s"));

        async Task AskAsync(int client)
        {
            for (var i = client; !end.IsCancellationRequested; i++)
            {
                lab.Expect(1);
                var started = Stopwatch.GetTimestamp();
                var answer = await PredictAsync(cluster, images[i % images.Length]);
                var took = Stopwatch.GetElapsedTime(started);
                if (answer is null)
                {
                    lab.CountLost($"client {client} had no answer within {Patience.TotalSeconds:F0} s");
                }
                else if (answer != expected[i % images.Length])
                {
                    lab.CountWrong($"image {i % images.Length}: {answer} instead of {expected[i % images.Length]}");
                }

                lock (workers)
                {
                    (answers, slowest) = (answers + 1, took > slowest ? took : slowest);
                }
            }
        }
    }

    /// <summary>Asks until there is an answer; null where there is none in time.</summary>
    private static async Task<string?> PredictAsync(Cluster cluster, byte[] image)
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            while (true)
            {
                using var content = new ByteArrayContent(image) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } };
                using var response = await cluster.Api.PostAsync("/api/v1/models/shapes@1/predict?top=3", content, patience.Token);
                if (response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable)
                {
                    await Task.Delay(response.Headers.RetryAfter!.Delta!.Value, patience.Token);
                    continue;
                }

                var answer = await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(patience.Token);
                return string.Join(
                    ", ",
                    answer
                        .GetProperty("images")[0]
                        .GetProperty("classes")
                        .EnumerateArray()
                        .Select(one =>
                            FormattableString.Invariant($"{one.GetProperty("class")} {one.GetProperty("probability").GetDouble():F5}")
                        )
                );
            }
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            return null;
        }
    }
}
