using System.Net;
using System.Net.Sockets;
using Distributed.ServiceDefaults;
using Distributed.TestServers;
using Microsoft.Data.Sqlite;

namespace Distributed.Standalone.Tests;

public sealed class ErrorTests : IDisposable
{
    private readonly CommandLine _command = new();

    public void Dispose() => _command.Dispose();

    [Theory]
    [InlineData("cuda", "There is no GPU 0")]
    [InlineData("tpu", "cuda:N")]
    public async Task A_device_that_is_not_there_is_refused_at_start_and_no_run_fails_for_it(string device, string said)
    {
        var ended = await _command.ExecuteAsync(_command.Run(), ("Training__Device", device));

        Assert.Equal(2, ended.Code);
        var line = Assert.Single(ended.Errors);
        Assert.Contains("Training__Device", line, StringComparison.Ordinal);
        Assert.Contains(said, line, StringComparison.Ordinal);
        // What is no device at all is refused before there is a catalog.
        Assert.True(
            !File.Exists(Path.Combine(_command.Volume, "catalog.db"))
                || (await _command.ReadRunsAsync()).TrueForAll(run => run.Failure is null)
        );
    }

    [Theory]
    [InlineData("run --learning-rate 100", "--learning-rate is 100; it must be a number above 0, up to 10.")]
    [InlineData("run --learning-rate fast", "'fast'")]
    [InlineData("run --head tree", "'tree'")]
    [InlineData("run --learning-rate 0,001", "--learning-rate is '0,001'")]
    [InlineData("run --dataset --volume x", "--dataset has no value")]
    [InlineData("run --hidden-sizes 5,x", "--hidden-sizes has an entry that is 'x'")]
    [InlineData("run --epochs 0 --top-k 0", "--top-k is 0")]
    [InlineData("run --wrong", "'--wrong'")]
    [InlineData("run --seed", "'--seed'")]
    [InlineData("walk", "'walk'")]
    [InlineData("run --volume=", "Required argument missing for option: '--volume'")]
    [InlineData("serve --urls nowhere", "--urls has 'nowhere'")]
    [InlineData("serve --urls http://127.0.0.1:70000", "--urls has 'http://127.0.0.1:70000'")]
    [InlineData("serve --urls http://192.0.2.1:9", "http://192.0.2.1:9")]
    [InlineData("run --volume occupied", "cannot be written")]
    public async Task A_command_that_cannot_be_carried_out_says_why_in_one_line(string command, string said)
    {
        await File.WriteAllTextAsync(Path.Combine(_command.Root, "occupied"), "a file");

        var ended = await _command.ExecuteAsync([.. command.Split(' ')]);

        Refused(ended, said);
        Assert.Empty(ended.Output);
    }

    [Fact]
    public async Task Help_is_not_an_error()
    {
        var ended = await _command.ExecuteAsync(["run", "--help"]);

        Assert.Equal(0, ended.Code);
        Assert.Empty(ended.Errors);
        Assert.Contains(ended.Output, line => line.Contains("--learning-rate", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_data_set_that_does_not_exist_is_named()
    {
        var ended = await _command.ExecuteAsync(_command.Run("--dataset", "nowhere/at all"));

        Refused(ended, $"'{Path.Combine(_command.Root, "nowhere/at all")}' does not exist");
    }

    [Fact]
    public async Task An_address_as_data_set_is_told_as_one() =>
        Refused(
            await _command.ExecuteAsync(_command.Run("--dataset", "https://example.org/pets.zip")),
            "'https://example.org/pets.zip' is an address"
        );

    [Fact]
    public async Task A_setting_out_of_range_is_named() =>
        Refused(
            await _command.ExecuteAsync(_command.Run(), ("Ingestion__SampleTrainImages", "5")),
            "Ingestion__SampleTrainImages is '5'; it must be a whole number from 100 to 50000.",
            ServiceHost.MisconfiguredStatus
        );

    [Fact]
    public async Task A_volume_that_is_read_only_is_not_told_as_in_use()
    {
        using var mount = await TemporaryMount.TryCreateAsync();
        Assert.SkipWhen(mount is null, "This user may not mount file systems.");
        await File.WriteAllTextAsync(Path.Combine(mount.Path, ".lock"), "");
        await using var outage = await mount.BreakAsync("read-only");

        Refused(
            await _command.ExecuteAsync(["run", "--volume", mount.Path]),
            $"The volume {mount.Path} cannot be written: Read-only file system"
        );
    }

    [Fact]
    public async Task A_volume_may_have_any_name_and_needs_no_command()
    {
        var ended = await _command.ExecuteAsync(["--volume", "a;b='c", "--input-size", "32", "--precision", "fp32", "--json"]);

        Assert.True(ended.Code == 0, string.Join('\n', ended.Errors));
        Assert.True(File.Exists(Path.Combine(_command.Root, "a;b='c", "catalog.db")));
        Assert.Equal(0, (await _command.ExecuteAsync(["keys", "--volume", "a;b='c", "list"])).Code);
    }

    [Fact]
    public async Task An_export_that_cannot_be_written_is_told_before_the_run()
    {
        var file = Path.Combine(_command.Root, "file");
        await File.WriteAllTextAsync(file, "");

        Refused(await _command.ExecuteAsync(_command.Run("--export-png", Path.Combine(file, "images"))), file);
        Assert.False(Directory.Exists(_command.Volume));
    }

    [Theory]
    [InlineData("--volume has no value: --json is the next option.", "run", "--volume", "--json")]
    [InlineData("--export-png has no value: --json is the next option.", "run", "--export-png", "--json")]
    [InlineData("--urls has no value: --volume is the next option.", "serve", "--urls", "--volume")]
    [InlineData("--export-png is empty; give a directory.", "run", "--export-png", "")]
    public async Task An_option_without_a_value_is_named(string said, params string[] arguments) =>
        Refused(await _command.ExecuteAsync(arguments), said);

    [Fact]
    public async Task An_address_that_is_in_use_is_named()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();

        var ended = await _command.ExecuteAsync(["serve", "--urls", $"http://{other.LocalEndpoint}"]);

        Refused(ended, $"Nothing can listen on http://{other.LocalEndpoint}: Address already in use. ");
    }

    [Fact]
    public async Task A_port_for_metrics_at_which_nothing_listens_is_named() =>
        Refused(
            await _command.ExecuteAsync(["serve", "--urls", "http://127.0.0.1:0"], ("Metrics__Port", "19")),
            "Metrics__Port is 19, where this host does not listen."
        );

    [Fact]
    public async Task A_process_that_was_killed_while_it_made_the_catalog_leaves_nothing_to_wait_for()
    {
        Directory.CreateDirectory(_command.Volume);
        await using (var database = new SqliteConnection($"Data Source={Path.Combine(_command.Volume, "catalog.db")};Pooling=False"))
        {
            await database.OpenAsync();
            await using var create = database.CreateCommand();
            create.CommandText = """
                CREATE TABLE "__EFMigrationsLock" ("Id" INTEGER NOT NULL PRIMARY KEY, "Timestamp" TEXT NOT NULL);
                INSERT INTO "__EFMigrationsLock" VALUES (1, '2026-01-01');
                """;
            await create.ExecuteNonQueryAsync();
        }

        Refused(await _command.ExecuteAsync(_command.Run("--dataset", "nowhere")), "does not exist");
    }

    [Fact]
    public async Task A_volume_whose_catalog_a_later_version_has_migrated_is_left_alone()
    {
        Directory.CreateDirectory(_command.Volume);
        await using (var database = new SqliteConnection($"Data Source={Path.Combine(_command.Volume, "catalog.db")};Pooling=False"))
        {
            await database.OpenAsync();
            await using var create = database.CreateCommand();
            create.CommandText = """
                CREATE TABLE "__EFMigrationsHistory" (migration_id TEXT NOT NULL PRIMARY KEY, product_version TEXT NOT NULL);
                INSERT INTO "__EFMigrationsHistory" VALUES ('29991231000000_Future', '99.0.0');
                """;
            await create.ExecuteNonQueryAsync();
        }

        Refused(await _command.ExecuteAsync(_command.Run()), "29991231000000_Future");
        Refused(
            await _command.ExecuteAsync(
                ["serve", "--urls", "http://127.0.0.1:0", "--volume", _command.Volume],
                ("Logging__LogLevel__Default", "None")
            ),
            "later version"
        );
        Refused(await _command.ExecuteAsync(["keys", "list", "--volume", _command.Volume]), "later version");
    }

    private static void Refused(Ended ended, string said, int code = 1)
    {
        Assert.True(ended.Code == code, $"It ended with {ended.Code}. {string.Join('\n', ended.Errors)}");
        var line = Assert.Single(ended.Errors);
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        Assert.Contains(said, line);
    }
}
