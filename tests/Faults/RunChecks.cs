using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Faults;

/// <summary>What became of a run.</summary>
internal sealed record RunResult(string State, string? Failure, double? Accuracy, string? HeadSha256, string? LastSha256, long Epochs);

/// <summary>Submitting runs, waiting for them, and comparing them with those that nobody disturbed.</summary>
internal static class RunChecks
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SayEvery = TimeSpan.FromSeconds(8);

    /// <summary>All files that the catalog names, with their hashes.</summary>
    private const string Files = """
        select pixels_path, pixels_sha256 from packed_parts
        union all select records_path, records_sha256 from packed_parts
        union all select file_index_path, file_index_sha256 from ingestions
        union all select manifest_path, manifest_sha256 from datasets
        union all select file_path, file_sha256 from backbones where file_path is not null
        union all select split_path, split_sha256 from runs where split_path is not null
        union all select file_path, file_sha256 from feature_shards
        union all select file_path, file_sha256 from checkpoints
        union all select report_path, report_sha256 from evaluations where report_path is not null
        """;

    /// <summary>Of all that complete runs needed: what was counted more than once, and what is left to do.</summary>
    private const string Doubles = """
        with needed as (select distinct d.scope from run_dependencies d join runs r on r.id = d.run_id where r.state = 'Completed'),
            jobs as (select * from jobs where scope in (select scope from needed))
        select 'job ' || kind || ' ' || scope || ' #' || step || ' is ' || state from jobs where state <> 'Done'
        union all select 'job ' || u.kind || ' ' || u.scope || ' #' || u.step || ' was done ' || count(*) || ' times'
            from attempts a join jobs u on u.id = a.job_id where a.outcome = 'Done' group by u.id, u.kind, u.scope, u.step having count(*) > 1
        union all select 'run ' || scope || ' has ' || count(*) || ' jobs ' || kind
            from jobs where kind in ('PlanFeatures', 'EvaluateHead', 'IngestDataset', 'CompleteDataset') group by scope, kind having count(*) <> 1
        union all select 'features ' || f.key || ' have ' || count(s.shard) || ' shards of ' || f.shard_count || ', ' || coalesce(sum(s.image_count), 0) || ' images of ' || f.image_count
            from feature_sets f left join feature_shards s on s.feature_set_key = f.key where f.key in (select scope from needed)
            group by f.key having count(s.shard) <> f.shard_count or coalesce(sum(s.image_count), 0) <> f.image_count
        union all select 'ingestion ' || i.key || ' has ' || count(p.part) || ' parts of ' || i.part_count
            from ingestions i left join packed_parts p on p.ingestion_key = i.key where i.key in (select scope from needed)
            group by i.key having count(p.part) <> i.part_count
        union all select 'run ' || run_id || ' has ' || count(*) || ' epochs, the last is ' || max(epoch) from epoch_metrics group by run_id having count(*) <> max(epoch)
        union all select 'run ' || r.id || ' was tested ' || count(e.run_id) || ' times'
            from runs r left join evaluations e on e.run_id = r.id where r.state = 'Completed' group by r.id having count(e.run_id) <> 1
        union all select count(*) || ' runs are called ' || name from runs group by name having count(*) > 1
        """;

    /// <summary>Submits a run as a client does that does not give up: with a key, again until there is an answer.</summary>
    public static async Task<Guid> SubmitAsync(Cluster cluster, RunRequest request, string? key = null)
    {
        key ??= request.Name;
        while (true)
        {
            try
            {
                using var message = new HttpRequestMessage(HttpMethod.Post, "/api/v1/runs")
                {
                    Content = JsonContent.Create(request.Body),
                    Headers = { { "Idempotency-Key", key } },
                };
                using var response = await cluster.Api.SendAsync(message);
                var body = await response.Content.ReadAsStringAsync();
                if (response.IsSuccessStatusCode)
                {
                    return JsonDocument.Parse(body).RootElement.GetProperty("summary").GetProperty("runId").GetGuid();
                }

                if ((int)response.StatusCode < 500)
                {
                    throw new InvalidOperationException($"{request.Name} was refused: {body}");
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or TaskCanceledException)
            {
                // The API is gone or just starting: the key makes it the same run next time.
            }

            await Task.Delay(Pause);
        }
    }

    /// <summary>Submits runs one after the other.</summary>
    public static async Task<IReadOnlyList<Guid>> SubmitAsync(Cluster cluster, IEnumerable<RunRequest> requests)
    {
        var runs = new List<Guid>();
        foreach (var request in requests)
        {
            runs.Add(await SubmitAsync(cluster, request));
        }

        return runs;
    }

    /// <summary>Waits until all runs have ended; what has not in time is counted as lost.</summary>
    public static async Task WaitAsync(FaultLab lab, Cluster cluster, int count, TimeSpan limit)
    {
        var (end, said) = (lab.Elapsed + limit, lab.Elapsed);
        while (true)
        {
            var ended = await cluster.QueryAsync<long>("select count(*) from runs where finished_at is not null");
            if (ended >= count)
            {
                return;
            }

            if (lab.Elapsed > end)
            {
                lab.Say($"{count - ended} runs have not ended within {limit}");
                return;
            }

            if (lab.Elapsed - said > SayEvery)
            {
                said = lab.Elapsed;
                lab.Say($"{ended} of {count} runs have ended, {lab.Injected} faults");
            }

            await Task.Delay(Pause);
        }
    }

    /// <summary>What became of runs, in their order.</summary>
    public static async Task<IReadOnlyList<RunResult>> ResultsAsync(Cluster cluster, IEnumerable<Guid> runs)
    {
        var results = new List<RunResult>();
        foreach (var run in runs)
        {
            results.AddRange(
                await cluster.ReadAsync(
                    $"""
                    select r.state, r.failure, e.test_accuracy, e.head_sha256,
                        (select file_sha256 from checkpoints c where c.run_id = r.id and c.kind = 'Last' order by slice desc limit 1),
                        (select count(*) from epoch_metrics m where m.run_id = r.id)
                    from runs r left join evaluations e on e.run_id = r.id where r.id = '{run}' limit 1
                    """,
                    row => new RunResult(row.GetString(0), Text(row[1]), row[2] as double?, Text(row[3]), Text(row[4]), row.GetInt64(5))
                )
            );
        }

        return results;

        static string? Text(object value) => value as string;
    }

    /// <summary>The same runs, undisturbed, over a catalog and a volume of their own.</summary>
    public static async Task<IReadOnlyList<RunResult>> UndisturbedAsync(
        FaultLab lab,
        IReadOnlyDictionary<string, string?> settings,
        IReadOnlyList<RunRequest> requests
    )
    {
        lab.Say($"{requests.Count} runs undisturbed");
        await using var cluster = await lab.StartClusterAsync(settings);
        var runs = await SubmitAsync(cluster, requests);
        await WaitAsync(lab, cluster, runs.Count, TimeSpan.FromMinutes(5));
        var results = await ResultsAsync(cluster, runs);
        if (results.Any(result => result.State != "Completed"))
        {
            throw new InvalidOperationException(
                $"An undisturbed run did not complete: {results.First(result => result.State != "Completed")}"
            );
        }

        lab.Say(
            $"undisturbed: accuracies {string.Join(' ', results.Select(result => FormattableString.Invariant($"{result.Accuracy:F3}")))}; "
                + $"{await cluster.QueryAsync<long>("select count(*) from jobs")} jobs"
        );
        return results;
    }

    /// <summary>Checks that every run is complete with the result of its undisturbed twin, that nothing was counted twice, and that no file is half.</summary>
    /// <param name="lab">Counts what does not hold.</param>
    /// <param name="cluster">Where they ran.</param>
    /// <param name="runs">The runs.</param>
    /// <param name="twins">What became of them undisturbed.</param>
    /// <param name="repairs">Whether jobs may have been done again, for files that were damaged.</param>
    public static async Task CheckAsync(
        FaultLab lab,
        Cluster cluster,
        IReadOnlyList<Guid> runs,
        IReadOnlyList<RunResult> twins,
        bool repairs = false
    )
    {
        lab.Expect(runs.Count);
        var results = await ResultsAsync(cluster, runs);
        for (var run = 0; run < runs.Count; run++)
        {
            if (results[run].State != "Completed")
            {
                lab.CountLost($"run {run} ({runs[run]}) is {results[run].State}: {results[run].Failure}");
            }
            else if (results[run] != twins[run])
            {
                lab.CountWrong($"run {run} ({runs[run]}) is {results[run]}, undisturbed {twins[run]}");
            }
        }

        foreach (var doubled in await DoublesAsync(cluster))
        {
            // A file that is made again is made by the job that made it first.
            if (!repairs || !doubled.Contains("was done", StringComparison.Ordinal))
            {
                lab.CountDoubled(doubled);
            }
        }

        await CheckFilesAsync(lab, cluster);
    }

    /// <summary>Of all that complete runs needed: what was counted more than once, and what is left to do.</summary>
    public static Task<IReadOnlyList<string>> DoublesAsync(Cluster cluster) => cluster.ReadAsync(Doubles, row => row.GetString(0));

    /// <summary>Checks that every file that the catalog names is what it says.</summary>
    private static async Task CheckFilesAsync(FaultLab lab, Cluster cluster)
    {
        foreach (var (path, sha256) in await cluster.ReadAsync(Files, row => (row.GetString(0), row.GetString(1))))
        {
            var file = Path.Combine(cluster.Volume, path);
            lab.Check(
                File.Exists(file) && Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(file))) == sha256,
                $"'{path}' is not what the catalog says"
            );
        }
    }
}
