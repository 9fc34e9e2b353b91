using System.Security.Cryptography;
using System.Text.Json;
using Distributed.Datasets.Downloads;
using Microsoft.Extensions.Time.Testing;

namespace Distributed.Datasets.Tests;

public sealed class ResumableDownloadTests : IDisposable
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    private readonly TemporaryDirectory _directory = new();
    private readonly HttpClient _http = new();
    private readonly byte[] _content = new byte[3_000_000];

    public ResumableDownloadTests() => new Random(1).NextBytes(_content);

    private DownloadLimits Limits { get; set; } = DownloadLimits.Default;

    private string Target => _directory.At("deep", "file.bin");

    private DownloadExpectation Expected => new(Md5: Md5(_content), Sha256: Sha256(_content), Length: _content.Length);

    public void Dispose()
    {
        _http.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_file_is_fetched_checked_and_put_in_its_place()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        var progress = new List<DownloadProgress>();

        var outcome = await FetchAsync(server, Expected, Long, new Reporter(progress));

        Assert.Equal(new DownloadOutcome(Finished: true, _content.Length, _content.Length) { Received = _content.Length }, outcome);
        Assert.Equal(_content, await File.ReadAllBytesAsync(Target));
        Assert.Equal([Target], Directory.GetFiles(Path.GetDirectoryName(Target)!));
        Assert.Equal(new DownloadProgress(_content.Length, _content.Length), progress[^1]);
        Assert.Equal(outcome with { Received = 0 }, await FetchAsync(server, Expected, Long));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_lost_connection_is_taken_up_where_it_broke()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.BreakAfter = 800_000;

        Assert.True((await FetchAsync(server, Expected, Long)).Finished);

        Assert.Equal(_content, await File.ReadAllBytesAsync(Target));
        Assert.True(server.Requests.Count >= 4);
        Assert.All(server.Requests.Skip(1), range => Assert.StartsWith("bytes=", range, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_slice_ends_in_time_and_the_next_one_goes_on()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.StallAfter = 1_000_000;

        var first = await FetchUntilSilentAsync(server, Expected);
        server.StallAfter = null;
        var second = await FetchAsync(server, Expected, Long);

        Assert.Equal(new DownloadOutcome(Finished: false, 1_000_000, _content.Length) { Received = 1_000_000 }, first);
        Assert.True(second.Finished);
        Assert.Equal(["", "bytes=1000000-"], server.Requests);
        Assert.Equal(_content, await File.ReadAllBytesAsync(Target));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task A_file_that_changed_meanwhile_starts_over(bool ignoresConditions, bool becomesShorter)
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.StallAfter = 1_000_000;
        await FetchUntilSilentAsync(server, expectation: null);
        byte[] changed = becomesShorter ? [9, 9, 9] : [.. _content.Select(value => (byte)~value)];
        (server.Content, server.ETag, server.StallAfter, server.IgnoresConditions) = (changed, "\"two\"", null, ignoresConditions);

        Assert.True((await FetchAsync(server, new DownloadExpectation(Sha256: Sha256(changed)), Long)).Finished);

        Assert.Equal(changed, await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task A_file_that_became_shorter_than_what_is_there_starts_over()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.StallAfter = 1_000_000;
        await FetchUntilSilentAsync(server, expectation: null);
        (server.Content, server.ETag, server.StallAfter, server.IgnoresConditions) = ([7, 7], "\"two\"", null, true);

        Assert.True((await FetchAsync(server, expectation: null, Long)).Finished);

        Assert.Equal([7, 7], await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task A_server_without_ranges_sends_everything_again()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.StallAfter = 1_000_000;
        await FetchUntilSilentAsync(server, Expected);
        (server.StallAfter, server.IgnoresRanges) = (null, true);

        Assert.True((await FetchAsync(server, Expected, Long)).Finished);

        Assert.Equal(_content, await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task Without_validators_and_hash_nothing_is_joined()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        (server.ETag, server.BreakAfter) = (null, 1_000_000);

        await Assert.ThrowsAsync<HttpRequestException>(() => FetchAsync(server, expectation: null, Long));
        server.BreakAfter = null;
        Assert.True((await FetchAsync(server, expectation: null, Long)).Finished);

        Assert.Equal(["", ""], server.Requests);
    }

    [Fact]
    public async Task Without_validators_the_hash_vouches_for_the_joined_file()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        (server.ETag, server.BreakAfter) = (null, 1_000_000);

        Assert.True((await FetchAsync(server, Expected, Long)).Finished);

        Assert.Equal(_content, await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task A_wrong_hash_is_refused_with_both_values_and_what_came_is_deleted()
    {
        await using var server = await DownloadServer.StartAsync(_content);

        var sha256 = await Assert.ThrowsAsync<DatasetException>(() =>
            FetchAsync(server, new DownloadExpectation(Sha256: Sha256([])), Long)
        );
        var md5 = await Assert.ThrowsAsync<DatasetException>(() => FetchAsync(server, new DownloadExpectation(Md5: Md5([])), Long));

        Assert.All(
            [server.Address.ToString(), Sha256(_content), Sha256([])],
            part => Assert.Contains(part, sha256.Message, StringComparison.Ordinal)
        );
        Assert.All(
            [server.Address.ToString(), Md5(_content), Md5([])],
            part => Assert.Contains(part, md5.Message, StringComparison.Ordinal)
        );
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(Target)!));
    }

    [Fact]
    public async Task A_wrong_length_is_refused_before_the_file_is_fetched()
    {
        await using var server = await DownloadServer.StartAsync(_content);

        var refused = await Assert.ThrowsAsync<DatasetException>(() => FetchAsync(server, new DownloadExpectation(Length: 5), Long));

        Assert.Contains("3000000", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(Target)!));
    }

    [Theory]
    [InlineData(404, true)]
    [InlineData(403, true)]
    [InlineData(500, false)]
    [InlineData(503, false)]
    [InlineData(429, false)]
    public async Task Answers_are_told_apart_into_final_and_passing(int status, bool final)
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.Status = status;

        var thrown = await Assert.ThrowsAnyAsync<Exception>(() => FetchAsync(server, Expected, Long));

        Assert.IsType(final ? typeof(DatasetException) : typeof(HttpRequestException), thrown);
        Assert.Contains($"{status}", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_brings_nothing_is_an_outage()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.BreakAfter = 0;

        await Assert.ThrowsAsync<HttpRequestException>(() => FetchAsync(server, Expected, Long));
    }

    [Fact]
    public async Task Damaged_notes_beside_the_partial_file_start_the_download_over()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        _directory.Write("deep/file.bin.partial", [1, 2, 3]);
        _directory.Write("deep/file.bin.partial.json", "{ half"u8.ToArray());

        Assert.True((await FetchAsync(server, Expected, Long)).Finished);

        Assert.Equal([""], server.Requests);
    }

    [Fact]
    public async Task Cancelling_keeps_what_has_come()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.StallAfter = 1_000_000;
        using var cancel = new CancellationTokenSource();
        var fetching = ResumableDownload.FetchAsync(
            _http,
            server.Address,
            Target,
            Expected,
            DownloadLimits.Default,
            Long,
            TimeProvider.System,
            progress: null,
            cancel.Token
        );
        await WaitUntilSilentAsync(server, fetching);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetching);

        Assert.Equal(1_000_000, new FileInfo(Target + ResumableDownload.PartialSuffix).Length);
    }

    [Fact]
    public async Task A_server_that_goes_silent_is_an_outage_and_not_a_slice_without_end()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.StallAfter = 0;

        Assert.Contains(
            "sent nothing",
            (await Assert.ThrowsAsync<HttpRequestException>(() => FetchUntilSilentAsync(server, Expected))).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task More_bytes_than_the_limit_are_refused_and_not_kept(bool withoutLength)
    {
        await using var server = await DownloadServer.StartAsync(_content);
        server.HidesLength = withoutLength;
        Limits = new DownloadLimits(_content.Length - 1, Long);

        var refused = await Assert.ThrowsAsync<DatasetException>(() => FetchAsync(server, expectation: null, Long));

        Assert.Contains("more than 2999999 bytes", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(Target)!));
    }

    [Fact]
    public async Task The_time_of_all_slices_together_is_bounded()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        Limits = new DownloadLimits(long.MaxValue, Long / 2);
        server.StallAfter = 1_000_000;
        Assert.False((await FetchUntilSilentAsync(server, Expected)).Finished);

        var refused = await Assert.ThrowsAsync<DatasetException>(() => FetchAsync(server, Expected, Long));

        Assert.Contains("Ingestion:DownloadTime", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(Target)!));
    }

    [Fact]
    public async Task A_file_larger_than_the_space_left_is_waited_with_and_says_so()
    {
        var mirror = _directory.Write("mirror", []);
        using (var file = new FileStream(mirror, FileMode.Open))
        {
            // Of holes.
            file.SetLength(new DriveInfo(mirror).AvailableFreeSpace + (1L << 40));
        }

        var full = await Assert.ThrowsAsync<IOException>(() =>
            FetchAsync(new Uri(mirror), expectation: null, new DownloadLimits(long.MaxValue, Long))
        );

        Assert.Contains("Make room", full.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mirror_on_a_disk_is_resumed_checked_and_noticed_when_it_changes()
    {
        var mirror = _directory.Write("mirror", _content);
        _directory.Write("deep/file.bin.partial", _content[..1000]);
        _directory.Write(
            "deep/file.bin.partial.json",
            JsonSerializer.SerializeToUtf8Bytes(
                new DownloadNotes(null, new DateTimeOffset(File.GetLastWriteTimeUtc(mirror)), _content.Length),
                DatasetJson.Options
            )
        );

        Assert.True((await FetchAsync(new Uri(mirror), Expected, Limits)).Finished);
        Assert.Equal(_content, await File.ReadAllBytesAsync(Target));

        File.Delete(Target);
        _directory.Write("deep/file.bin.partial", [9, 9, 9]);
        _directory.Write(
            "deep/file.bin.partial.json",
            JsonSerializer.SerializeToUtf8Bytes(new DownloadNotes(null, DateTimeOffset.UnixEpoch, _content.Length), DatasetJson.Options)
        );
        Assert.True((await FetchAsync(new Uri(mirror), Expected, Limits)).Finished);

        File.Delete(Target);
        await Assert.ThrowsAsync<DatasetException>(() => FetchAsync(new Uri(mirror), new DownloadExpectation(Sha256: Sha256([])), Limits));
        await Assert.ThrowsAsync<DatasetException>(() => FetchAsync(new Uri(_directory.At("none")), Expected, Limits));
    }

    [Fact]
    public async Task Notes_with_a_damaged_tag_start_the_download_over_or_are_vouched_for_by_the_hash()
    {
        await using var server = await DownloadServer.StartAsync(_content);
        _directory.Write("deep/file.bin.partial", [1, 2, 3]);
        _directory.Write(
            "deep/file.bin.partial.json",
            JsonSerializer.SerializeToUtf8Bytes(new DownloadNotes("\"half", null, _content.Length), DatasetJson.Options)
        );

        Assert.True((await FetchAsync(server, expectation: null, Long)).Finished);

        Assert.Equal(_content, await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task Other_schemes_are_refused() =>
        await Assert.ThrowsAsync<DatasetException>(() =>
            ResumableDownload.FetchAsync(
                _http,
                new Uri("ftp://example.org/file"),
                Target,
                null,
                DownloadLimits.Default,
                Long,
                TimeProvider.System
            )
        );

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

#pragma warning disable CA5351 // The publisher of STL-10 gives MD5.
    private static string Md5(byte[] bytes) => Convert.ToHexStringLower(MD5.HashData(bytes));
#pragma warning restore CA5351

    private Task<DownloadOutcome> FetchAsync(
        DownloadServer server,
        DownloadExpectation? expectation,
        TimeSpan slice,
        IProgress<DownloadProgress>? progress = null
    ) =>
        ResumableDownload.FetchAsync(
            _http,
            server.Address,
            Target,
            expectation,
            Limits,
            slice,
            TimeProvider.System,
            progress,
            TestContext.Current.CancellationToken
        );

    /// <summary>A slice whose time is over when the server has gone silent, and not before, however slow the machine is.</summary>
    private async Task<DownloadOutcome> FetchUntilSilentAsync(DownloadServer server, DownloadExpectation? expectation)
    {
        var time = new FakeTimeProvider();
        var fetching = ResumableDownload.FetchAsync(
            _http,
            server.Address,
            Target,
            expectation,
            Limits,
            Long,
            time,
            progress: null,
            TestContext.Current.CancellationToken
        );
        await WaitUntilSilentAsync(server, fetching);
        time.Advance(Long);
        return await fetching;
    }

    /// <summary>Waits until all that a stalling server sends is in the partial file, or fetching has ended.</summary>
    private async Task WaitUntilSilentAsync(DownloadServer server, Task fetching)
    {
        var partial = new FileInfo(Target + ResumableDownload.PartialSuffix);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!fetching.IsCompleted && (server.Requests.Count == 0 || (partial.Exists ? partial.Length : 0) < server.StallAfter))
        {
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
            partial.Refresh();
        }
    }

    private Task<DownloadOutcome> FetchAsync(Uri mirror, DownloadExpectation? expectation, DownloadLimits limits) =>
        ResumableDownload.FetchAsync(
            _http,
            mirror,
            Target,
            expectation,
            limits,
            Long,
            TimeProvider.System,
            progress: null,
            TestContext.Current.CancellationToken
        );

    private sealed class Reporter(List<DownloadProgress> reports) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => reports.Add(value);
    }
}
