using Distributed.TestServers;
using Npgsql;

namespace Distributed.System.Tests;

public sealed class BackupTests
{
    [Fact]
    public async Task What_a_backup_of_a_working_system_restores_goes_on_with_the_same_results()
    {
        Assert.SkipUnless(await CanDumpAsync(), "pg_dump is not installed, or is older than the server");
        var folder = Directory.CreateTempSubdirectory("distributed-backup-");
        try
        {
            var backup = Path.Combine(folder.FullName, "backup");
            await using var source = await Cluster.StartAsync(SampleRun.Settings);
            var complete = await source.SubmitAsync(SampleRun.Specification);
            var before = await source.WaitForCompletionAsync(complete);
            var report = await source.GetTextAsync($"/api/v1/runs/{complete}/report");

            // Another is in the midst of its training.
            var open = await source.SubmitAsync(
                new
                {
                    precision = "fp32",
                    seed = 5,
                    head = new { kind = "mlp", hiddenSizes = new[] { 512 } },
                    training = new { epochs = 60, patience = 60 },
                }
            );
            await source.WaitAsync(
                "a first checkpoint",
                () => source.QueryAsync<long>($"select count(*) from checkpoints where run_id = '{open}'"),
                count => count > 0
            );
            await ScriptAsync(source, 0, "backup.sh", backup, source.Volume);
            var undisturbed = await source.WaitForCompletionAsync(open);

            await using var restored = await Cluster.StartAsync(
                SampleRun.Settings,
                async cluster =>
                {
                    await ScriptAsync(cluster, 0, "restore.sh", backup, cluster.Volume);
                    Assert.Contains(
                        "not empty",
                        await ScriptAsync(cluster, 1, "restore.sh", backup, cluster.Volume),
                        StringComparison.Ordinal
                    );
                }
            );

            var after = await restored.GetAsync($"/api/v1/runs/{complete}");
            Assert.Equal(before.GetProperty("headSha256").GetString(), after.GetProperty("headSha256").GetString());
            // The API reads it through the catalog, and checks its hash.
            Assert.Equal(report, await restored.GetTextAsync($"/api/v1/runs/{complete}/report"));
            var finished = await restored.WaitForCompletionAsync(open);
            Assert.Equal(undisturbed.GetProperty("headSha256").GetString(), finished.GetProperty("headSha256").GetString());
            var next = await restored.WaitForCompletionAsync(await restored.SubmitAsync(new { precision = "fp32", seed = 9 }));
            Assert.True(next.GetProperty("featureCacheHit").GetBoolean());

            await using (var dump = File.OpenWrite(Path.Combine(backup, "volume.tar")))
            {
                dump.Position = dump.Length / 2;
                dump.WriteByte(0x5a);
                dump.WriteByte(0xa5);
            }

            Assert.Contains(
                "damaged",
                await ScriptAsync(restored, 1, "restore.sh", backup, Path.Combine(folder.FullName, "other")),
                StringComparison.Ordinal
            );
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> ScriptAsync(Cluster cluster, int status, string script, params string[] arguments)
    {
        var catalog = new NpgsqlConnectionStringBuilder(cluster.Database.ConnectionString);
        await using var process = HostProcess.Start(
            "bash",
            [Path.Combine(TestEnvironment.RepositoryRoot, "infra", "scripts", script), .. arguments],
            new Dictionary<string, string?>
            {
                ["PGHOST"] = catalog.Host,
                ["PGPORT"] = $"{catalog.Port}",
                ["PGUSER"] = catalog.Username,
                ["PGPASSWORD"] = catalog.Password,
                ["PGDATABASE"] = catalog.Database,
            }
        );
        var ended = await process.WaitForExitAsync(TimeSpan.FromMinutes(1));
        var output = string.Join('\n', process.Lines);
        Assert.True(ended == status, output);
        return output;
    }

    private static async Task<bool> CanDumpAsync()
    {
        // pg_dump refuses a server that is newer than itself.
        await using var server = NpgsqlDataSource.Create(TestEnvironment.PostgresConnectionString);
        await using var command = server.CreateCommand("show server_version_num");
        var version =
            int.Parse((string)(await command.ExecuteScalarAsync())!, global::System.Globalization.CultureInfo.InvariantCulture) / 10_000;
        await using var shell = HostProcess.Start(
            "bash",
            [
                "-c",
                $"command -v psql pg_restore >/dev/null && v=$(pg_dump --version) && v=${{v##* (PostgreSQL) }} && v=${{v#pg_dump (PostgreSQL) }} && ((${{v%%.*}} >= {version}))",
            ]
        );
        return await shell.WaitForExitAsync() == 0;
    }
}
