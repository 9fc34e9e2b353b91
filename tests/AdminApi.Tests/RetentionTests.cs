using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.AdminApi.Retention;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Storage;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class RetentionTests
{
    private static readonly DateTime LongAgo = DateTime.UtcNow.AddDays(-40);

    [Fact]
    public async Task Nothing_is_collected_on_the_volume_of_another_catalog()
    {
        await using var server = await AdminServer.StartAsync();
        await WriteAsync(server, $"features/k/shard-00000.{Guid.NewGuid():N}.safetensors");
        await File.WriteAllTextAsync(Path.Combine(server.Directory, Volume.Marker), $"{Guid.NewGuid():D}\n");
        var before = Files(server);

        using var response = await server.Client.PostAsync("/api/v1/maintenance/collect?force=true", content: null);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.ServiceUnavailable);
        Assert.Contains("Another volume is mounted", problem.GetProperty("detail").GetString());
        Assert.Equal(before, Files(server));
    }

    [Fact]
    public async Task Orphans_go_and_what_is_named_young_current_or_not_ours_stays()
    {
        await using var server = await AdminServer.StartAsync();
        var run = await AddRunAsync(server, RunState.Training);
        var current = Guid.NewGuid();
        var job = new Job
        {
            Kind = nameof(TrainHead),
            Scope = $"{run.Id:D}",
            Step = 3,
            State = JobState.Running,
            Attempt = current,
            LeaseUntil = DateTime.UtcNow.AddMinutes(1),
        };
        await server.AddAsync(
            job,
            Checkpoint(run, 0, CheckpointKind.Last, await WriteAsync(server, $"runs/{run.Id:D}/last-00000.{Guid.NewGuid():N}.safetensors")),
            new Download
            {
                Key = "d",
                Url = "http://localhost/d",
                Path = "sources/d.tar.gz",
            }
        );
        string[] orphans =
        [
            $"features/k/shard-00000.{Guid.NewGuid():N}.safetensors",
            $"ingestions/k/part-00000.{Guid.NewGuid():N}.u8",
            $"ingestions/k/part-00001.{Guid.NewGuid():N}-2.u8",
            $"runs/{run.Id:D}/last-00001.{Guid.NewGuid():N}.safetensors.{Guid.NewGuid():N}.partial",
            $"autotuning/x.json.{Guid.NewGuid():N}.partial",
            $"sources/archive-x.{Guid.NewGuid():N}.partial/photo.jpg",
        ];
        string[] kept =
        [
            $"runs/{run.Id:D}/best-00003.{current:N}-1.safetensors",
            $"runs/{run.Id:D}/last-00003.{current:N}.safetensors.{Guid.NewGuid():N}.partial",
            "sources/d.tar.gz.partial",
            "sources/d.tar.gz.partial.json",
            "sources/sample-0-100-100/train_X.bin",
            "autotuning/y.json",
            "backbones/densenet121.tv_in1k.safetensors",
            ".lock",
        ];
        foreach (var path in (string[])[.. orphans, .. kept])
        {
            await WriteAsync(server, path);
        }

        var young = $"features/k/shard-00001.{Guid.NewGuid():N}.safetensors";
        await WriteAsync(server, young, age: TimeSpan.FromMinutes(30));
        var before = Files(server);

        var told = await CollectAsync(server, dryRun: true);
        Assert.Equal(orphans.Order(StringComparer.Ordinal), Names(told, "orphan"));
        Assert.Equal(4 * orphans.Length, told.GetProperty("bytes").GetInt64());
        Assert.Equal(before, Files(server));

        Assert.Equal(orphans.Order(StringComparer.Ordinal), Names(await CollectAsync(server, dryRun: false), "orphan"));
        Assert.Equal(before.Except(orphans), Files(server));
        Assert.Contains(young, Files(server));
        Assert.Empty(Names(await CollectAsync(server, dryRun: false), "orphan"));
    }

    [Fact]
    public async Task A_sweep_of_most_of_the_volume_is_refused_unless_forced()
    {
        await using var server = await AdminServer.StartAsync();
        var paths = Enumerable.Range(0, 30).Select(shard => $"features/k/shard-{shard:D5}.{Guid.NewGuid():N}.safetensors").ToList();
        foreach (var path in paths)
        {
            await WriteAsync(server, path);
        }

        var refused = await CollectAsync(server, dryRun: false);

        Assert.Contains("30 files", refused.GetProperty("refused").GetString());
        Assert.Empty(paths.Except(Files(server)));
        await CollectAsync(server, dryRun: false, force: true);
        Assert.Empty(paths.Intersect(Files(server)));
    }

    [Fact]
    public async Task Of_an_ended_run_the_last_state_and_the_best_head_stay_and_of_an_open_one_all()
    {
        await using var server = await AdminServer.StartAsync();
        var ended = await AddRunAsync(server, RunState.Completed);
        var recent = await AddRunAsync(server, RunState.Completed, finishedAt: DateTime.UtcNow);
        var open = await AddRunAsync(server, RunState.Training);
        foreach (var run in new[] { ended, recent, open })
        {
            for (var slice = 0; slice < 3; slice++)
            {
                foreach (var kind in Enum.GetValues<CheckpointKind>().Where(kind => kind == CheckpointKind.Last || slice < 2))
                {
                    await server.AddAsync(
                        Checkpoint(
                            run,
                            slice,
                            kind,
                            await WriteAsync(server, $"runs/{run.Id:D}/{kind}-{slice}.{Guid.NewGuid():N}.safetensors")
                        )
                    );
                }
            }
        }

        var report = await CollectAsync(server, dryRun: false);

        Assert.Equal(3, Names(report, "checkpoint").Count());
        var rows = await server.QueryAsync(context => context.Checkpoints.AsNoTracking().ToListAsync());
        Assert.Equal(
            [(2, CheckpointKind.Last), (1, CheckpointKind.Best)],
            rows.Where(row => row.RunId == ended.Id).Select(row => (row.Slice, row.Kind)).OrderBy(row => row.Kind)
        );
        Assert.Equal((5, 5), (rows.Count(row => row.RunId == recent.Id), rows.Count(row => row.RunId == open.Id)));
        Assert.Equal(
            rows.Select(row => row.File.Path).Order(StringComparer.Ordinal),
            Files(server).Where(path => path.StartsWith("runs/", StringComparison.Ordinal))
        );
    }

    [Fact]
    public async Task Features_go_by_age_and_by_size_those_used_least_recently_first_and_never_those_of_an_open_run()
    {
        await using var server = await AdminServer.StartAsync(
            settings: [("Retention:Features", "30.00:00:00"), ("Retention:FeatureBytes", "20")]
        );
        await AddFeaturesAsync(server, "old", await AddRunAsync(server, RunState.Completed, finishedAt: LongAgo));
        await AddFeaturesAsync(server, "third", await AddRunAsync(server, RunState.Completed, finishedAt: DateTime.UtcNow.AddDays(-3)));
        await AddFeaturesAsync(server, "second", await AddRunAsync(server, RunState.Completed, finishedAt: DateTime.UtcNow.AddDays(-2)));
        await AddFeaturesAsync(server, "first", await AddRunAsync(server, RunState.Completed, finishedAt: DateTime.UtcNow.AddDays(-1)));
        await AddFeaturesAsync(server, "needed", await AddRunAsync(server, RunState.Training, submittedAt: LongAgo), depends: true);

        Assert.Equal(["old", "third", "second"], Names(await CollectAsync(server, dryRun: true), "features", ordered: false));
        Assert.Equal(["old", "third", "second"], Names(await CollectAsync(server, dryRun: false), "features", ordered: false));

        var shards = await server.QueryAsync(context => context.FeatureShards.AsNoTracking().ToListAsync());
        Assert.Equal(["first", "first", "needed", "needed"], shards.Select(shard => shard.FeatureSetKey).Order());
        Assert.Equal(
            shards.Select(shard => shard.File.Path).Order(StringComparer.Ordinal),
            Files(server).Where(path => path.StartsWith("features/", StringComparison.Ordinal))
        );
        var states = await server.QueryAsync(context =>
            context
                .Jobs.AsNoTracking()
                .GroupBy(job => new { job.Scope, job.State })
                .Select(group => new { group.Key.Scope, group.Key.State })
                .ToListAsync()
        );
        Assert.All(states, job => Assert.Equal(job.Scope is "first" or "needed" ? JobState.Done : JobState.Pending, job.State));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_run_that_joins_features_while_they_are_collected_finds_all_of_them_or_computes_them_again(bool postgres)
    {
        await using var database = postgres ? await PostgresDatabase.CreateAsync() : null;
        await using var server = await AdminServer.StartAsync(database?.ConnectionString);
        await server.Services.GetRequiredService<HostChecks>().Passed.WaitAsync(TimeSpan.FromSeconds(30));
        var collector = server.Services.GetRequiredService<Collector>();
        var (joinedFirst, collectedFirst) = (0, 0);
        for (var race = 0; race < 100; race++)
        {
            var key = $"set-{race}";
            await AddFeaturesAsync(server, key, await AddRunAsync(server, RunState.Completed));
            var run = await AddRunAsync(server, RunState.Extracting);

            var collecting = Task.Run(() => collector.RemoveFeaturesAsync(key, CancellationToken.None));
            var joining = Task.Run(() => JoinAsync(server, run, key));
            var (removed, cached) = (await collecting, await joining);

            Assert.NotEqual(removed, cached);
            var shards = await server.QueryAsync(context =>
                context.FeatureShards.AsNoTracking().Where(shard => shard.FeatureSetKey == key).ToListAsync()
            );
            Assert.Equal(cached ? 2 : 0, shards.Count);
            Assert.All(shards, shard => Assert.True(File.Exists(server.Services.GetRequiredService<Volume>().FullPath(shard.File.Path))));
            Assert.Equal(
                cached ? 0 : 2,
                await server.QueryAsync(context => context.Jobs.CountAsync(job => job.Scope == key && job.State == JobState.Pending))
            );
            (joinedFirst, collectedFirst) = cached ? (joinedFirst + 1, collectedFirst) : (joinedFirst, collectedFirst + 1);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{joinedFirst} joined first, {collectedFirst} were collected first");
    }

    /// <summary>What planning does: the lock, a look, the dependency, in one transaction.</summary>
    private static Task<bool> JoinAsync(AdminServer server, Run run, string key) =>
        server.QueryAsync(async context =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            Assert.True(await context.LockFeatureSetAsync(key, CancellationToken.None));
            var cached = !await context.Jobs.AnyAsync(job => job.Scope == key && job.State != JobState.Done);
            await context.DependAsync(run.Id, key, CancellationToken.None);
            await context.SaveChangesAsync();
            await transaction.CommitAsync();
            return cached;
        });

    private static async Task<JsonElement> CollectAsync(AdminServer server, bool dryRun, bool force = false)
    {
        using var response = await server.Client.PostAsync(
            new Uri($"/api/v1/maintenance/collect?dryRun={dryRun}&force={force}", UriKind.Relative),
            content: null
        );
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static IEnumerable<string?> Names(JsonElement report, string kind, bool ordered = true)
    {
        var names = report
            .GetProperty("items")
            .EnumerateArray()
            .Where(item => item.GetProperty("kind").GetString() == kind)
            .Select(item => item.GetProperty("name").GetString());
        return ordered ? names.Order(StringComparer.Ordinal) : names;
    }

    private static async Task<Run> AddRunAsync(
        AdminServer server,
        RunState state,
        DateTime? finishedAt = null,
        DateTime? submittedAt = null
    )
    {
        var run = new Run
        {
            Id = Guid.CreateVersion7(),
            Tags = [],
            Specification = "{}",
            State = state,
            SubmittedAt = submittedAt ?? finishedAt ?? LongAgo,
            FinishedAt = state.IsFinal() ? finishedAt ?? LongAgo : null,
            EndPublishedAt = state.IsFinal() ? DateTime.UtcNow : null,
        };
        await server.AddAsync(run);
        return run;
    }

    private static async Task AddFeaturesAsync(AdminServer server, string key, Run run, bool depends = false)
    {
        await server.QueryAsync(context =>
            context.Runs.Where(row => row.Id == run.Id).ExecuteUpdateAsync(row => row.SetProperty(r => r.FeatureSetKey, key))
        );
        var set = new FeatureSet
        {
            Key = key,
            DatasetSha256 = "d",
            IngestionKey = "i",
            BackboneSha256 = "b",
            Preprocessing = "p",
            Precision = Precision.Fp32,
            ExtractorVersion = 1,
            InputSize = 96,
            Flip = false,
            Crops = ImageCrops.Whole,
            BatchSize = 64,
            ImageCount = 2,
            FeatureSize = 4,
            ShardSize = 1,
            ShardCount = 2,
            CreatedAt = LongAgo,
        };
        await server.AddAsync(set);
        for (var shard = 0; shard < 2; shard++)
        {
            await server.AddAsync(
                new FeatureShard
                {
                    FeatureSetKey = key,
                    Shard = shard,
                    ImageCount = 1,
                    File = await WriteAsync(server, $"features/{key}/shard-{shard:D5}.{Guid.NewGuid():N}.safetensors"),
                    Seconds = 1,
                    Worker = "w",
                },
                new Job
                {
                    Kind = nameof(ExtractFeatures),
                    Scope = key,
                    Step = shard,
                    State = JobState.Done,
                }
            );
        }

        if (depends)
        {
            await server.AddAsync(new RunDependency { RunId = run.Id, Scope = key });
        }
    }

    private static Checkpoint Checkpoint(Run run, int slice, CheckpointKind kind, StoredFile file) =>
        new()
        {
            RunId = run.Id,
            Trial = 0,
            Slice = slice,
            Kind = kind,
            Epoch = slice,
            File = file,
            CreatedAt = LongAgo,
        };

    /// <summary>Four bytes, written some time ago.</summary>
    private static async Task<StoredFile> WriteAsync(AdminServer server, string path, TimeSpan? age = null)
    {
        var volume = server.Services.GetRequiredService<Volume>();
        var file = await volume.WriteAsync(path, (stream, token) => stream.WriteAsync(new byte[] { 1, 2, 3, 4 }, token).AsTask());
        File.SetLastWriteTimeUtc(volume.FullPath(path), DateTime.UtcNow - (age ?? TimeSpan.FromHours(2)));
        return file;
    }

    private static List<string> Files(AdminServer server)
    {
        var root = server.Services.GetRequiredService<Volume>().Root;
        return
        [
            .. Directory
                .EnumerateFiles(root, "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(root, path))
                .Where(path => !path.StartsWith("catalog.db", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];
    }
}
