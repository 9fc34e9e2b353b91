using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog.Tests;

public sealed class SqliteVolumeIdentityTests(SqliteCatalog catalog) : VolumeIdentityTests(catalog), IClassFixture<SqliteCatalog>;

public sealed class PostgresVolumeIdentityTests(PostgresCatalog catalog) : VolumeIdentityTests(catalog), IClassFixture<PostgresCatalog>;

public abstract class VolumeIdentityTests(TestCatalog catalog) : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("identity-");

    public async ValueTask InitializeAsync()
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        await context.Installation.ExecuteDeleteAsync();
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task One_host_begins_a_volume_and_the_others_find_it()
    {
        Assert.Contains("AdminApi begins it", (await CheckAsync("volume", VolumeDuty.Follow)).Complaint, StringComparison.Ordinal);
        Assert.Empty(_folder.EnumerateFileSystemInfos());

        var begun = await CheckAsync("volume", VolumeDuty.Begin);
        var followed = await CheckAsync("volume", VolumeDuty.Follow);
        var restarted = await CheckAsync("volume", VolumeDuty.Begin);

        Assert.All([begun, followed, restarted], found => Assert.Null(found.Complaint));
        Assert.Equal([begun.Volume.Id, begun.Volume.Id], [followed.Volume.Id, restarted.Volume.Id]);
        Assert.Equal(new VolumeMarker(begun.Volume.Id), followed.Volume.ReadMarker());
        followed.Volume.Probe();
    }

    [Theory]
    [InlineData("missing", "does not exist")]
    [InlineData("empty", "holds no volume")]
    [InlineData("unnamed", "has no id")]
    [InlineData("other", "is not the one of this catalog")]
    [InlineData("damaged", "holds no id of a volume")]
    public async Task A_folder_that_is_not_the_catalogs_volume_is_refused_by_every_host_and_left_as_it_is(string folder, string said)
    {
        var id = (await CheckAsync("volume", VolumeDuty.Begin)).Volume.Id;
        switch (folder)
        {
            case "empty":
                _folder.CreateSubdirectory(folder);
                break;
            case "unnamed":
                Mark(folder, "");
                break;
            case "other":
                Mark(folder, $"{Guid.NewGuid():D}\n");
                break;
            case "damaged":
                Mark(folder, "volume");
                break;
        }

        var before = Directory.Exists(At(folder)) ? Directory.GetFileSystemEntries(At(folder)) : null;
        foreach (var duty in (VolumeDuty[])[VolumeDuty.Follow, VolumeDuty.Begin])
        {
            var (complaint, volume) = await CheckAsync(folder, duty);

            Assert.Contains(said, complaint, StringComparison.Ordinal);
            Assert.True(folder == "damaged" || complaint!.Contains($"{id:D}", StringComparison.Ordinal), complaint);
            Assert.Equal(before, Directory.Exists(At(folder)) ? Directory.GetFileSystemEntries(At(folder)) : null);
            await Assert.ThrowsAsync<IOException>(() => volume.WriteAsync("a", (_, _) => Task.CompletedTask));
        }

        Assert.Null((await CheckAsync("volume", VolumeDuty.Follow)).Complaint);
    }

    [Fact]
    public async Task Hosts_that_begin_at_once_on_two_folders_agree_on_one_of_them()
    {
        for (var race = 0; race < 20; race++)
        {
            await InitializeAsync();
            string[] folders = [$"{race}a", $"{race}b"];
            var results = await Task.WhenAll(
                Enumerable.Range(0, 6).Select(host => Task.Run(() => CheckAsync(folders[host % 2], VolumeDuty.Begin)))
            );

            var winners = results.Where(result => result.Complaint is null).ToList();
            Assert.Equal(3, winners.Count);
            var winner = Assert.Single(
                winners.Select(result => (result.Volume.Root, result.Volume.Id, result.Volume.ReadMarker())).Distinct()
            );
            Assert.Equal(new VolumeMarker(winner.Id), winner.Item3);
            Assert.False(Directory.Exists(At(folders.Single(folder => At(folder) != winner.Root))));
        }
    }

    [Fact]
    public async Task An_installation_from_before_there_were_ids_gets_one()
    {
        Mark("volume", "");
        Assert.NotNull((await CheckAsync("volume", VolumeDuty.Follow)).Complaint);

        var begun = await CheckAsync("volume", VolumeDuty.Begin);

        Assert.Null(begun.Complaint);
        Assert.Equal(begun.Volume.Id, (await CheckAsync("volume", VolumeDuty.Follow)).Volume.Id);
    }

    [Fact]
    public async Task A_new_catalog_does_not_take_the_volume_of_another()
    {
        var id = Guid.NewGuid();
        Mark("volume", $"{id:D}\n");

        var (complaint, _) = await CheckAsync("volume", VolumeDuty.Begin);

        Assert.Contains($"belongs to another catalog: its id is {id:D}", complaint, StringComparison.Ordinal);
        Assert.Null((await CheckAsync("volume", VolumeDuty.Adopt)).Complaint);
        Assert.Equal(id, (await CheckAsync("volume", VolumeDuty.Follow)).Volume.Id);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_host_that_died_while_it_began_a_volume_is_followed_by_one_that_finishes(bool isInTheCatalog)
    {
        var id = Guid.NewGuid();
        Mark("volume", $"{id:D} new\n");
        if (isInTheCatalog)
        {
            await using var context = await catalog.Contexts.CreateDbContextAsync();
            context.Installation.Add(new Installation { VolumeId = id, CreatedAt = DateTime.UtcNow });
            await context.SaveChangesAsync();
        }

        var (complaint, volume) = await CheckAsync("volume", VolumeDuty.Begin);

        Assert.Null(complaint);
        Assert.Equal(id, volume.Id);
        Assert.Equal(new VolumeMarker(id), volume.ReadMarker());
    }

    [Fact]
    public async Task A_volume_that_replaces_a_lost_one_is_taken_where_somebody_says_so()
    {
        var lost = (await CheckAsync("lost", VolumeDuty.Begin)).Volume.Id;

        var adopted = await CheckAsync("replacement", VolumeDuty.Adopt);

        Assert.Null(adopted.Complaint);
        Assert.NotEqual(lost, adopted.Volume.Id);
        Assert.Equal(adopted.Volume.Id, (await CheckAsync("replacement", VolumeDuty.Follow)).Volume.Id);
        Assert.NotNull((await CheckAsync("lost", VolumeDuty.Begin)).Complaint);
    }

    private string At(string folder) => Path.Combine(_folder.FullName, folder);

    private void Mark(string folder, string text)
    {
        Directory.CreateDirectory(At(folder));
        File.WriteAllText(Path.Combine(At(folder), Volume.Marker), text);
    }

    /// <summary>What a host finds that has just started.</summary>
    private async Task<(string? Complaint, Volume Volume)> CheckAsync(string folder, VolumeDuty duty)
    {
        var volume = new Volume(At(folder));
        try
        {
            return (
                await new VolumeIdentity(catalog.Contexts, volume, TimeProvider.System).CheckAsync(duty, CancellationToken.None),
                volume
            );
        }
        catch (IOException exception)
        {
            return (exception.Message, volume);
        }
    }
}
