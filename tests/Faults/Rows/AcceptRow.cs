using System.Diagnostics;
using System.Net.Http.Json;
using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>The API is killed while it accepts runs: every run that it acknowledged, or entered in the catalog, is run, and once.</summary>
internal sealed class AcceptRow : IFaultRow
{
    private const int Submissions = 50;
    private const int LongestWait = 30;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public string Name => "accept";

    public async Task RunAsync(FaultLab lab)
    {
        // The watchdog waits for as long as a lease takes before it takes a message for lost.
        var settings = new Dictionary<string, string?>(lab.Workload.Settings) { ["Jobs__Lease"] = "00:00:05" };
        var twins = await RunChecks.UndisturbedAsync(lab, settings, [Request(0)]);
        await using var cluster = await lab.StartClusterAsync(settings);
        var (unanswered, unsent, left) = (0, 0, 0);
        for (var index = 0; index < Submissions; index++)
        {
            var request = Request(index);
            var post = PostAsync(cluster, request);
            await MomentAsync(lab, cluster, request, post, index % 3);
            await cluster.KillAsync("AdminApi");
            lab.Inject();
            var isAnswered = await post;
            var isEntered = await IsEnteredAsync(cluster, request);
            if (isAnswered && !isEntered)
            {
                lab.CountLost($"{request.Name} was acknowledged, and the catalog does not know it");
            }

            unanswered += isAnswered ? 0 : 1;
            unsent += await cluster.QueryAsync<bool>(
                $"select exists (select 1 from jobs u join runs r on u.scope = r.id::text where r.idempotency_key = '{request.Name}' and u.dispatched_at is null)"
            )
                ? 1
                : 0;
            var host = cluster.Start("AdminApi");
            if (isAnswered || (isEntered && index % 2 == 1))
            {
                left++;
                await host.WaitForLineAsync(line => line.Contains("Now listening on", StringComparison.Ordinal), Patience);
            }
            else
            {
                await RunChecks.SubmitAsync(cluster, request);
            }

            if (index % 5 == 4)
            {
                lab.Say(
                    $"{index + 1} submissions: {unanswered} without an answer, {unsent} accepted and not yet sent, {left} left to the system, the others repeated"
                );
            }
        }

        var runs = await cluster.ReadAsync("select id from runs order by submitted_at", row => row.GetGuid(0));
        lab.Check(runs.Count == Submissions, $"of {Submissions} submissions the catalog has {runs.Count}");
        await RunChecks.WaitAsync(lab, cluster, Submissions, TimeSpan.FromMinutes(3));
        await RunChecks.CheckAsync(lab, cluster, runs, [.. Enumerable.Repeat(twins[0], runs.Count)]);
    }

    /// <summary>They differ in name alone, so their results are the same.</summary>
    private static RunRequest Request(int index) =>
        new(
            $"submission {index}",
            new
            {
                name = $"submission {index}",
                splitSeed = 7,
                inputSize = 32,
                precision = "fp32",
                training = new { penalties = new[] { 0.1, 0.01 } },
            }
        );

    private static async Task<bool> PostAsync(Cluster cluster, RunRequest request)
    {
        try
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, "/api/v1/runs")
            {
                Content = JsonContent.Create(request.Body),
                Headers = { { "Idempotency-Key", request.Name } },
            };
            using var response = await cluster.Api.SendAsync(message);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>Waits for the moment to kill in: as soon as the run is entered, at any time, or as soon as it is acknowledged.</summary>
    private static async Task MomentAsync(FaultLab lab, Cluster cluster, RunRequest request, Task<bool> post, int when)
    {
        switch (when)
        {
            case 0:
                while (!post.IsCompleted && !await IsEnteredAsync(cluster, request))
                {
                    // Asking is all the pause there is: the moment to be met is short.
                }

                break;
            case 1:
                var since = Stopwatch.GetTimestamp();
                var wait = TimeSpan.FromMilliseconds(lab.Next(LongestWait));
                while (!post.IsCompleted && Stopwatch.GetElapsedTime(since) < wait)
                {
                    await Task.Yield();
                }

                break;
            default:
                await post;
                break;
        }
    }

    private static Task<bool> IsEnteredAsync(Cluster cluster, RunRequest request) =>
        cluster.QueryAsync<bool>($"select exists (select 1 from runs where idempotency_key = '{request.Name}')");
}
