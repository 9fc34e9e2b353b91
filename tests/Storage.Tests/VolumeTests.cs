using System.Text;
using Distributed.Storage;

namespace Distributed.Storage.Tests;

public sealed class VolumeTests : IDisposable
{
    private readonly string _root = Path.Combine(Path.GetTempPath(), $"volume-{Guid.NewGuid():N}");
    private readonly Volume _volume;

    public VolumeTests() => _volume = Volume.Begin(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_written_file_reads_back_verified()
    {
        var file = await _volume.WriteAsync("a/b/content.txt", Write("hello"));

        Assert.Equal(5, file.Length);
        Assert.Equal("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", file.Sha256);
        Assert.Equal("hello", Encoding.UTF8.GetString(await _volume.ReadAllBytesAsync(file)));
        await _volume.VerifyAsync(file);
    }

    [Fact]
    public async Task A_write_that_fails_leaves_nothing_behind()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            _volume.WriteAsync(
                "a/half.bin",
                async (stream, token) =>
                {
                    await stream.WriteAsync(new byte[1000], token);
                    throw new InvalidOperationException("no more");
                }
            )
        );

        Assert.Equal([Volume.Marker], Directory.GetFiles(_root, "*", SearchOption.AllDirectories).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_name_is_never_written_twice()
    {
        var first = await _volume.WriteAsync("once.txt", Write("first"));

        await Assert.ThrowsAsync<IOException>(() => _volume.WriteAsync("once.txt", Write("second")));

        await _volume.VerifyAsync(first);
    }

    [Theory]
    [InlineData("changed", "damaged")]
    [InlineData("hell", "damaged")]
    [InlineData(null, "missing")]
    public async Task A_file_that_is_not_what_was_written_is_refused_by_name(string? found, string complaint)
    {
        var file = await _volume.WriteAsync("kept.txt", Write("kept as"));
        await _volume.VerifyAsync(file);
        if (found is null)
        {
            File.Delete(_volume.FullPath(file.Path));
        }
        else
        {
            await File.WriteAllTextAsync(_volume.FullPath(file.Path), found);
            File.SetLastWriteTimeUtc(_volume.FullPath(file.Path), DateTime.UtcNow.AddMinutes(1));
        }

        var verifying = await Assert.ThrowsAsync<StoredFileException>(() => _volume.VerifyAsync(file));
        var reading = await Assert.ThrowsAsync<StoredFileException>(() => _volume.ReadAllBytesAsync(file));

        Assert.Contains("kept.txt", verifying.Message, StringComparison.Ordinal);
        Assert.Contains(complaint, verifying.Message, StringComparison.Ordinal);
        Assert.Contains(complaint, reading.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../outside.txt")]
    [InlineData("a/../../outside.txt")]
    [InlineData("/etc/passwd")]
    public void A_path_that_leads_out_of_the_volume_is_refused(string path) =>
        Assert.Throws<ArgumentException>(() => _volume.FullPath(path));

    private static Func<Stream, CancellationToken, Task> Write(string text) =>
        (stream, token) => stream.WriteAsync(Encoding.UTF8.GetBytes(text), token).AsTask();
}
