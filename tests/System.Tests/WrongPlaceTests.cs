using System.Net;
using System.Net.Http.Json;
using Distributed.Storage;
using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>Hosts that were started on another volume, with other folders or on a catalog of another version, beside hosts that were not.</summary>
public sealed class WrongPlaceTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-wrong-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Hosts_on_a_wrong_volume_wait_say_so_and_harm_no_run()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        Volume.Begin(At("other"));
        Directory.CreateDirectory(At("empty"));
        var bad = new Dictionary<string, string>
        {
            [Start(cluster, "Training", "other", ("Volume__Root", At("other")))] =
                $"The volume at {At("other")} is not the one of this catalog",
            [Start(cluster, "Ingestion", "empty", ("Volume__Root", At("empty")))] = $"The folder {At("empty")} holds no volume",
            [Start(cluster, "Training", "missing", ("Volume__Root", At("missing")))] = $"The folder {At("missing")} does not exist",
            [Start(cluster, "Ingestion", "no data", ("Data__Roots__1", At("data")))] =
                $"Data__Roots__1 is '{At("data")}', which does not exist",
        };
        await AssertWaitingAsync(cluster, bad);

        await CompleteAsync(cluster, bad.Keys);

        await AssertWaitingAsync(cluster, bad);
        Assert.Empty(Directory.EnumerateFileSystemEntries(At("empty")));
        Assert.False(Directory.Exists(At("missing")));
        foreach (var (name, words) in bad)
        {
            Assert.Single(
                cluster.Host(name).Lines,
                line => line.Contains("takes no work until", StringComparison.Ordinal) && line.Contains(words, StringComparison.Ordinal)
            );
        }

        // What is mended is found without a restart.
        Directory.CreateDirectory(At("data"));
        await ReadyAsync(cluster, "no data");
    }

    [Fact]
    public async Task A_host_that_a_catalog_is_too_new_for_waits_and_harms_no_run()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        await using (
            var insert = cluster.Catalog.CreateCommand("""insert into "__EFMigrationsHistory" values ('29991231000000_Future', '99.0.0')""")
        )
        {
            await insert.ExecuteNonQueryAsync();
        }

        var bad = new Dictionary<string, string> { [Start(cluster, "Training", "old")] = "was migrated by a later version of the program" };
        await AssertWaitingAsync(cluster, bad);
        await CompleteAsync(cluster, bad.Keys);
        await AssertWaitingAsync(cluster, bad);

        await using var migrate = HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            ["migrate"],
            new Dictionary<string, string?> { ["ConnectionStrings__Catalog"] = cluster.Database.ConnectionString }
        );
        Assert.Equal(1, await migrate.WaitForExitAsync());
        Assert.Contains("29991231000000_Future", Assert.Single(migrate.Lines), StringComparison.Ordinal);

        // Nor does an earlier AdminApi accept what it would write in the wrong way; from here on it is the one that is asked.
        bad = new Dictionary<string, string> { [Start(cluster, "AdminApi", "old api")] = "was migrated by a later version of the program" };
        await AssertWaitingAsync(cluster, bad);
        using var refused = await cluster.Api.PostAsJsonAsync("/api/v1/runs", new { });
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Contains("29991231000000_Future", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_volume_that_replaces_a_lost_one_is_used_once_AdminApi_is_told_to_adopt_it()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(new { precision = "fp32" }));
        foreach (var service in Cluster.Services)
        {
            await cluster.TerminateAsync(service, TimeSpan.FromSeconds(30));
        }

        foreach (var entry in new DirectoryInfo(cluster.Volume).EnumerateFileSystemInfos())
        {
            (entry as DirectoryInfo)?.Delete(recursive: true);
            (entry as FileInfo)?.Delete();
        }

        cluster.Start("AdminApi");
        await AssertWaitingAsync(cluster, new Dictionary<string, string> { ["AdminApi"] = "volume adopt" });
        await cluster.TerminateAsync("AdminApi", TimeSpan.FromSeconds(30));
        await using var adopt = HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            ["volume", "adopt"],
            new Dictionary<string, string?>
            {
                ["ConnectionStrings__Catalog"] = cluster.Database.ConnectionString,
                ["Volume__Root"] = cluster.Volume,
            }
        );
        Assert.True(await adopt.WaitForExitAsync() == 0, string.Join('\n', adopt.Lines));

        foreach (var service in Cluster.Services)
        {
            cluster.Start(service);
        }

        await ReadyAsync(cluster, "Training");
        await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(new { precision = "fp32", splitSeed = 1 }));
    }

    private string At(string folder) => Path.Combine(_folder.FullName, folder);

    private static string Start(Cluster cluster, string service, string name, params (string Name, string Value)[] settings)
    {
        cluster.Configure(service, settings.ToDictionary(setting => setting.Name, setting => (string?)setting.Value));
        cluster.Start(service, name);
        cluster.Configure(service, new Dictionary<string, string?>());
        return name;
    }

    private static async Task AssertWaitingAsync(Cluster cluster, IReadOnlyDictionary<string, string> hosts)
    {
        foreach (var (name, words) in hosts)
        {
            await cluster.Host(name).WaitForLineAsync(line => line.Contains("Now listening on", StringComparison.Ordinal));
            await cluster.WaitAsync(
                $"{name} to say {words}",
                () => cluster.HealthAsync(name, "ready"),
                health =>
                    health.Status == HttpStatusCode.ServiceUnavailable
                    && health.Body.Replace("\\u0027", "'", StringComparison.Ordinal).Contains(words, StringComparison.Ordinal)
            );
            Assert.Equal(HttpStatusCode.OK, (await cluster.HealthAsync(name, "live")).Status);
        }
    }

    private static async Task ReadyAsync(Cluster cluster, string name)
    {
        await cluster.Host(name).WaitForLineAsync(line => line.Contains("Now listening on", StringComparison.Ordinal));
        await cluster.WaitAsync(
            $"{name} to be ready",
            async () => (await cluster.HealthAsync(name, "ready")).Status,
            status => status == HttpStatusCode.OK
        );
    }

    private static async Task CompleteAsync(Cluster cluster, IEnumerable<string> bad)
    {
        var runs = new List<Guid>();
        for (var seed = 0; seed < 4; seed++)
        {
            runs.Add(
                await cluster.SubmitAsync(
                    new
                    {
                        precision = "fp32",
                        splitSeed = seed,
                        inputSize = 32,
                    }
                )
            );
        }

        foreach (var run in runs)
        {
            await cluster.WaitForCompletionAsync(run);
        }

        foreach (var name in bad)
        {
            Assert.Equal(0, await cluster.QueryAsync<long>($"select count(*) from attempts where worker like '%/{cluster.Host(name).Id}'"));
        }
    }
}
