using System.Text;

namespace Distributed.Storage.Tests;

public sealed class VolumeAwayTests : IDisposable
{
    private readonly string _root = Path.Combine(Path.GetTempPath(), $"volume-{Guid.NewGuid():N}");
    private readonly Volume _volume;

    public VolumeAwayTests() => _volume = Volume.Begin(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task On_the_bare_directory_under_a_volume_nothing_is_written_and_no_file_counts_as_missing()
    {
        var file = await _volume.WriteAsync("a/b.txt", Write);
        var mounted = _root + "-elsewhere";
        Directory.Move(_root, mounted);
        Directory.CreateDirectory(_root);

        IOException[] errors =
        [
            await Assert.ThrowsAsync<IOException>(() => _volume.WriteAsync("a/c.txt", Write)),
            await Assert.ThrowsAsync<IOException>(() => _volume.VerifyAsync(file)),
            await Assert.ThrowsAsync<IOException>(() => _volume.ReadAllBytesAsync(file)),
            Assert.Throws<IOException>(_volume.Probe),
        ];

        Assert.All(errors, error => Assert.Contains($"The volume {_root} is not mounted", error.Message, StringComparison.Ordinal));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_root));
        Directory.Delete(_root);
        Directory.Move(mounted, _root);
        await _volume.VerifyAsync(file);
    }

    [Fact]
    public async Task On_another_volume_in_its_place_nothing_is_written_and_no_file_counts_as_missing()
    {
        var file = await _volume.WriteAsync("a/b.txt", Write);
        var mounted = _root + "-elsewhere";
        Directory.Move(_root, mounted);
        var other = Volume.Begin(_root);

        IOException[] errors =
        [
            await Assert.ThrowsAsync<IOException>(() => _volume.WriteAsync("a/c.txt", Write)),
            await Assert.ThrowsAsync<IOException>(() => _volume.VerifyAsync(file)),
            Assert.Throws<IOException>(_volume.Probe),
        ];

        Assert.All(
            errors,
            error => Assert.Contains($"its id is {other.Id:D}, and it was {_volume.Id:D}", error.Message, StringComparison.Ordinal)
        );
        Assert.Equal([Volume.Marker], Directory.EnumerateFileSystemEntries(_root).Select(Path.GetFileName));
        Directory.Delete(_root, recursive: true);
        Directory.Move(mounted, _root);
        await _volume.VerifyAsync(file);
    }

    [Fact]
    public async Task A_volume_that_nobody_has_accepted_is_neither_made_nor_written()
    {
        var folder = _root + "-new";
        var volume = new Volume(folder);

        await Assert.ThrowsAsync<IOException>(() => volume.WriteAsync("a", Write));
        volume.Refuse("It is another's.");

        Assert.Equal("It is another's.", Assert.Throws<IOException>(volume.Probe).Message);
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public void A_probe_leaves_nothing_behind()
    {
        _volume.Probe();

        Assert.Equal([Volume.Marker], Directory.EnumerateFileSystemEntries(_root).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Damage_that_keeps_the_time_stamp_is_found_where_no_trust_is_given()
    {
        var file = await _volume.WriteAsync("a.txt", Write);
        await _volume.VerifyAsync(file);
        var written = File.GetLastWriteTimeUtc(_volume.FullPath(file.Path));
        await File.WriteAllTextAsync(_volume.FullPath(file.Path), "other");
        File.SetLastWriteTimeUtc(_volume.FullPath(file.Path), written);

        await _volume.VerifyAsync(file);
        var error = await Assert.ThrowsAsync<StoredFileException>(() => _volume.VerifyAsync(file, trustedFor: TimeSpan.Zero));

        Assert.Equal([file.Path], error.Paths);
    }

    private static Task Write(Stream stream, CancellationToken cancellationToken) =>
        stream.WriteAsync(Encoding.UTF8.GetBytes("hello"), cancellationToken).AsTask();
}
