using System.Net;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>A bit of each kind of stored file is flipped under a run: it is detected by name, and made again where it can be; else the run fails and says so.</summary>
internal sealed class DamageRow : IFaultRow
{
    private const string OfRun = "in (select scope from run_dependencies where run_id = '{0}')";

    private static readonly Damage[] Mendable =
    [
        new("file-index", "PackImages", 0, "select file_index_path from ingestions where key " + OfRun),
        new(
            "records",
            "CompleteDataset",
            0,
            "select records_path from packed_parts where ingestion_key " + OfRun + " order by part desc limit 1"
        ),
        new(
            "manifest",
            "PlanFeatures",
            0,
            "select manifest_path from datasets d join runs r on r.dataset_sha256 = d.sha256 where r.id = '{0}'"
        ),
        new("pixels", "ExtractFeatures", 0, "select pixels_path from packed_parts where ingestion_key " + OfRun + " and part = 0"),
        new("backbone", "ExtractFeatures", 0, "select file_path from backbones where file_path is not null"),
        new("split", "TrainHead", 0, "select split_path from runs where id = '{0}'"),
        new("shard", "TrainHead", 0, "select file_path from feature_shards where shard = 0 and feature_set_key " + OfRun),
        new("all shards", "EvaluateHead", 0, "select file_path from feature_shards where feature_set_key " + OfRun),
        new(
            "last checkpoint",
            "TrainHead",
            3,
            "select file_path from checkpoints where kind = 'Last' and run_id = '{0}' order by slice desc limit 1"
        ),
        new(
            "best checkpoint",
            "EvaluateHead",
            0,
            "select file_path from checkpoints where kind = 'Best' and run_id = '{0}' order by slice desc limit 1"
        ),
    ];

    public string Name => "damage";

    public async Task RunAsync(FaultLab lab)
    {
        var weights = Path.Combine(lab.Workload.Root, "weights.safetensors");
        var shipped = await File.ReadAllBytesAsync(
            Path.Combine(TestEnvironment.RepositoryRoot, "shared", "Vision", "Backbones", "densenet121-cifar10-fp16.safetensors")
        );
        await File.WriteAllBytesAsync(weights, Pad(shipped));
        var mirror = Path.Combine(lab.Workload.Root, "mirror.safetensors");
        await File.WriteAllBytesAsync(mirror, shipped);
        var mirrors = Path.Combine(lab.Workload.Root, "backbones.json");
        await File.WriteAllTextAsync(mirrors, JsonSerializer.Serialize(new { mirrors = new { imagenet = mirror } }));
        var settings = new Dictionary<string, string?>(lab.Workload.Settings) { ["Backbones__File"] = mirrors };

        var requests = Mendable
            .Select((damage, index) => damage.File == "backbone" ? WithWeights(index, weights) : Workload.Alone(index))
            .ToList();
        var twins = await RunChecks.UndisturbedAsync(lab, settings, requests);
        await using var cluster = await lab.StartClusterAsync(settings);
        var runs = new List<Guid>();
        for (var index = 0; index < Mendable.Length; index++)
        {
            runs.Add(await MendAsync(lab, cluster, Mendable[index], requests[index]));
        }

        await RunChecks.CheckAsync(lab, cluster, runs, twins, repairs: true);
        await ReportAsync(lab, cluster, runs[0]);

        // Where it cannot be made again.
        var pictures = Path.Combine(lab.Workload.Root, "changing");
        Workload.WritePictures(pictures, seed: 55);
        await FailAsync(
            lab,
            cluster,
            Mendable[3],
            new RunRequest(
                "changed source",
                new
                {
                    dataset = pictures,
                    inputSize = 32,
                    precision = "fp32",
                }
            ),
            "have changed since",
            () => File.Copy(Path.Combine(pictures, "class1", "000.png"), Path.Combine(pictures, "class0", "000.png"), overwrite: true)
        );
        await FailAsync(lab, cluster, Mendable[4], WithWeights(77, weights), $"'{weights}' does not exist", () => File.Delete(weights));
        await FailAsync(
            lab,
            cluster,
            damage: null,
            new RunRequest("download", new { backbone = "imagenet", inputSize = 32 }),
            "mirror.safetensors' has the SHA256",
            () => { }
        );
    }

    private static RunRequest WithWeights(int index, string weights) =>
        new(
            $"run {index}",
            new
            {
                name = $"run {index}",
                splitSeed = 2000 + index,
                inputSize = 64,
                precision = "fp32",
                backbone = weights,
                training = new { penalties = new[] { 0.1, 0.01 } },
            }
        );

    /// <summary>Damages what a job is about to read, and sees that the run tells of it.</summary>
    private static async Task<Guid> MendAsync(FaultLab lab, Cluster cluster, Damage damage, RunRequest request)
    {
        var (run, paths) = await DamageAsync(lab, cluster, damage, request, () => { });
        await cluster.WaitForCompletionAsync(run);
        var reasons = await cluster.ReadAsync("select error from attempts where outcome = 'Blocked'", row => row.GetString(0));
        lab.Check(
            paths.Any(path => reasons.Any(reason => reason.Contains($"'{path}'", StringComparison.Ordinal))),
            $"no attempt names the damaged {damage.File}, {paths[0]}"
        );
        lab.Say(
            $"{damage.File}: {reasons.LastOrDefault(reason => paths.Any(path => reason.Contains(path, StringComparison.Ordinal))) ?? "not told"}"
        );
        return run;
    }

    private static async Task FailAsync(FaultLab lab, Cluster cluster, Damage? damage, RunRequest request, string reason, Action change)
    {
        lab.Expect(1);
        var run = damage is null
            ? await RunChecks.SubmitAsync(cluster, request)
            : (await DamageAsync(lab, cluster, damage, request, change)).Run;
        if (damage is null)
        {
            lab.Inject();
        }

        var state = await cluster.WaitAsync(
            $"the run on a {request.Name} to end",
            () =>
                cluster.QueryAsync<string>(
                    $"select case when finished_at is null then '' else state || ': ' || coalesce(failure, '') end from runs where id = '{run}'"
                ),
            text => text.Length > 0
        );
        lab.Check(
            state.StartsWith("Failed", StringComparison.Ordinal) && state.Contains(reason, StringComparison.Ordinal),
            $"{request.Name}: the run is {state}"
        );
        lab.Say($"{request.Name}: {state}");
    }

    private static async Task<(Guid Run, IReadOnlyList<string> Paths)> DamageAsync(
        FaultLab lab,
        Cluster cluster,
        Damage damage,
        RunRequest request,
        Action change
    )
    {
        await using var hold = await JobHold.CreateAsync(cluster, damage.Reader, damage.Step);
        var run = await RunChecks.SubmitAsync(cluster, request);
        await hold.WaitAsync();
        var paths = await cluster.ReadAsync(damage.Paths.Replace("{0}", $"{run}", StringComparison.Ordinal), row => row.GetString(0));
        foreach (var path in paths)
        {
            Flip(lab, Path.Combine(cluster.Volume, path));
        }

        change();
        return (run, paths);
    }

    /// <summary>Nobody reads a report but people: they are told.</summary>
    private static async Task ReportAsync(FaultLab lab, Cluster cluster, Guid run)
    {
        var path = await cluster.QueryAsync<string>($"select report_path from evaluations where run_id = '{run}'");
        Flip(lab, Path.Combine(cluster.Volume, path));
        using var response = await cluster.Api.GetAsync($"/api/v1/runs/{run}/report");
        var detail = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("detail").GetString()!;
        lab.Check(
            response.StatusCode == HttpStatusCode.Gone && detail.Contains(path, StringComparison.Ordinal),
            $"a damaged report is answered with {response.StatusCode}: {detail}"
        );
        lab.Say($"report: {detail}");
    }

    /// <summary>As a disk does it: one bit, and the time stamp stays.</summary>
    private static void Flip(FaultLab lab, string path)
    {
        var written = File.GetLastWriteTimeUtc(path);
        var bytes = File.ReadAllBytes(path);
        bytes[lab.Next(bytes.Length)] ^= (byte)(1 << lab.Next(8));
        File.WriteAllBytes(path, bytes);
        File.SetLastWriteTimeUtc(path, written);
        lab.Inject();
    }

    /// <summary>The same tensors in other bytes, so that they are not the shipped ones: the header may end in spaces.</summary>
    private static byte[] Pad(byte[] safetensors)
    {
        const int Spaces = 8;
        var headerLength = BitConverter.ToInt64(safetensors);
        return
        [
            .. BitConverter.GetBytes(headerLength + Spaces),
            .. safetensors.AsSpan(8, (int)headerLength),
            .. Enumerable.Repeat((byte)' ', Spaces),
            .. safetensors.AsSpan(8 + (int)headerLength),
        ];
    }

    /// <param name="File">What it is.</param>
    /// <param name="Reader">The kind of job that is about to read it.</param>
    /// <param name="Step">From which step on.</param>
    /// <param name="Paths">Finds it; {0} is the run.</param>
    private sealed record Damage(string File, string Reader, int Step, string Paths);
}
