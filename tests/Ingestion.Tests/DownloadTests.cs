using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Downloads;
using Distributed.Datasets.Sources;
using Distributed.Networks;
using Distributed.Pipeline;
using Distributed.ServiceTests;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Distributed.Ingestion.Tests;

public sealed class DownloadTests
{
    /// <summary>The servers of these tests are on the loopback address.</summary>
    private static readonly (string Name, string Value) Nearby = ("Ingestion:AllowPrivateAddresses", "true");

    [Fact]
    public async Task A_server_on_this_machine_is_asked_only_where_the_settings_allow_it()
    {
        await using var server = await FileServer.StartAsync([1, 2, 3]);
        await using var services = await ServiceHarness.StartAsync(
            (builder, consumers) => builder.AddIngestion(consumers),
            ("Ingestion:Stl10Url", server.Url.ToString())
        );

        var reason = await services.FailAsync(Specify("stl10"));

        Assert.Contains(server.Url.ToString(), reason);
        Assert.Contains("Ingestion:AllowPrivateAddresses=true", reason);
        Assert.Equal(0, server.Requests);
    }

    [Fact]
    public async Task A_mirror_may_be_a_file_that_is_checked_like_a_download()
    {
        var archive = await PackStl10Async();
        var mirror = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(mirror, archive);
            await using var services = await StartAsync(new Uri(mirror), archive);
            await services.RunAsync(Specify("stl10"), RunState.Extracting);

            await File.WriteAllBytesAsync(mirror, archive[..^1]);
            await using var damaged = await StartAsync(("Ingestion:Stl10Url", mirror));
            Assert.Contains(Stl10Files.ArchiveMd5, await damaged.FailAsync(Specify("stl10")));
        }
        finally
        {
            File.Delete(mirror);
        }
    }

    [Fact]
    public async Task A_file_beyond_the_limit_is_refused_before_it_comes()
    {
        await using var server = await FileServer.StartAsync(new byte[1000]);
        await using var services = await StartAsync(("Ingestion:Stl10Url", server.Url.ToString()), ("Ingestion:DownloadBytes", "999"));

        Assert.Contains("more than 999 bytes", await services.FailAsync(Specify("stl10")));
    }

    [Theory]
    [InlineData("stl10", "demo", "sources/stl10_binary.tar.gz", "5289df737df57326fcdd22597afb1fac", Stl10Files.ArchiveMd5)]
    [InlineData(
        "sample",
        "imagenet",
        "backbones/imagenet.safetensors",
        "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81",
        DenseNet.ImagenetSha256
    )]
    [InlineData(
        "sample",
        "resnet18",
        "backbones/resnet18.pth",
        "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81",
        "f37072fd… was expected"
    )]
    public async Task A_file_that_is_not_the_published_one_fails_the_run_and_is_not_kept(
        string dataset,
        string backbone,
        string path,
        string found,
        string expected
    )
    {
        await using var server = await FileServer.StartAsync([1, 2, 3]);
        var mirrored = backbone == "demo" ? "imagenet" : backbone;
        using var mirrors = BackboneFileOf($$"""{ "mirrors": { "{{mirrored}}": "{{server.Url}}" } }""");
        await using var services = await StartAsync(
            ("Ingestion:Stl10Url", server.Url.ToString()),
            (BackboneList.FileSetting, mirrors.Path)
        );
        var specification = Specify(dataset, backbone);

        var reason = await services.FailAsync(specification);

        Assert.Contains(server.Url.ToString(), reason);
        Assert.Contains(found, reason);
        Assert.Contains(expected, reason);
        Assert.False(File.Exists(services.Volume.FullPath(path)));

        // The next run asks the server again instead of failing by what was found once.
        await services.FailAsync(specification);
        Assert.Equal(2, server.Requests);
    }

    [Theory]
    [InlineData("dinov2-small", "backbones/dinov2-small.onnx")]
    [InlineData("mobilenetv4-medium", "backbones/mobilenetv4-medium.onnx")]
    [InlineData("house", "backbones/house.pth")]
    public async Task A_base_is_fetched_once_from_the_publisher_a_mirror_or_where_an_operator_says(string name, string path)
    {
        byte[] content = [4, 5, 6];
        await using var server = await FileServer.StartAsync(content);
        using var file = BackboneFileOf(
            name == "house"
                ? $$"""{ "bases": [{ "name": "house", "url": "{{server.Url}}/house.pth", "architecture": "resnet18" }] }"""
                : $$"""{ "mirrors": { "{{name}}": "{{server.Url}}" } }"""
        );
        await using var services = await StartAsync((BackboneList.FileSetting, file.Path));

        await services.RunAsync(Specify("sample", name), RunState.Extracting);
        await services.RunAsync(Specify("sample", name), RunState.Extracting);

        Assert.Equal(content, await File.ReadAllBytesAsync(services.Volume.FullPath(path)));
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task A_server_that_is_down_fails_the_run_with_what_to_do()
    {
        var url = $"http://127.0.0.1:{FreePort.Next()}/stl10.tar.gz";
        await using var services = await StartAsync(("Ingestion:Stl10Url", url));

        var reason = await services.FailAsync(Specify("stl10"));

        Assert.Contains(url, reason);
        Assert.Contains("Check the network, or put the file at", reason);
        Assert.Contains(services.Volume.FullPath("sources/stl10_binary.tar.gz"), reason);
    }

    [Fact]
    public async Task Runs_that_wait_for_one_download_go_on_after_it_was_fetched_once()
    {
        var archive = await PackStl10Async();
        var release = new TaskCompletionSource();
        await using var server = await FileServer.StartAsync(archive, release.Task);
        await using var services = await StartAsync(server.Url, archive);
        var runs = new[] { await services.SubmitAsync(Specify("stl10")), await services.SubmitAsync(Specify("stl10")) };
        await ServiceHarness.UntilAsync(async () => server.Requests == 1 && await CountWaitingAsync(services) == 2);

        release.SetResult();

        var first = await services.ReachAsync(runs[0], RunState.Extracting);
        var second = await services.ReachAsync(runs[1], RunState.Extracting);
        Assert.Equal(first.DatasetSha256, second.DatasetSha256);
        Assert.Equal(1, server.Requests);
        Assert.Equal(1, await services.CountStartsAsync(nameof(DownloadFile)));
        var download = await services.QueryAsync(context => context.Downloads.SingleAsync());
        Assert.Equal((archive.Length, (long?)archive.Length), (download.BytesDone, download.BytesTotal));

        await services.RunAsync(Specify("stl10"), RunState.Extracting);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task A_cancelled_run_does_not_stop_the_download_that_another_waits_for()
    {
        var archive = await PackStl10Async();
        var release = new TaskCompletionSource();
        await using var server = await FileServer.StartAsync(archive, release.Task);
        await using var services = await StartAsync(server.Url, archive);
        var cancelled = await services.SubmitAsync(Specify("stl10"));
        var other = await services.SubmitAsync(Specify("stl10"));
        await ServiceHarness.UntilAsync(async () => server.Requests == 1 && await CountWaitingAsync(services) == 2);

        await services.Services.GetRequiredService<RunControl>().CancelAsync(cancelled, AuditActor.Loopback, CancellationToken.None);
        release.SetResult();

        await services.ReachAsync(other, RunState.Extracting);
        Assert.Equal(RunState.Cancelled, (await services.FindAsync(cancelled)).State);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task After_extraction_the_archive_may_be_removed()
    {
        var archive = await PackStl10Async();
        await using var server = await FileServer.StartAsync(archive);
        await using var services = await StartAsync(server.Url, archive);
        var first = await services.RunAsync(Specify("stl10"), RunState.Extracting);
        File.Delete(services.Volume.FullPath("sources/stl10_binary.tar.gz"));

        var second = await services.RunAsync(Specify("stl10"), RunState.Extracting);

        Assert.Equal(first.DatasetSha256, second.DatasetSha256);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task What_was_removed_from_the_volume_is_fetched_again()
    {
        var archive = await PackStl10Async();
        await using var server = await FileServer.StartAsync(archive);
        await using var services = await StartAsync(server.Url, archive);
        await services.RunAsync(Specify("stl10"), RunState.Extracting);
        Directory.Delete(services.Volume.FullPath("sources"), recursive: true);

        await services.RunAsync(Specify("stl10"), RunState.Extracting);

        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task A_file_that_somebody_put_there_is_used_without_a_network()
    {
        var archive = await PackStl10Async();
        await using var services = await StartAsync(new Uri($"http://127.0.0.1:{FreePort.Next()}/none"), archive);
        Directory.CreateDirectory(services.Volume.FullPath("sources"));
        await File.WriteAllBytesAsync(services.Volume.FullPath("sources/stl10_binary.tar.gz"), archive);

        await services.RunAsync(Specify("stl10"), RunState.Extracting);
    }

    private static TemporaryFile BackboneFileOf(string json) => new(json);

    private static RunSpecification Specify(string dataset, string backbone = "demo") =>
        new()
        {
            Dataset = dataset,
            Backbone = backbone,
            InputSize = 32,
        };

    private static Task<int> CountWaitingAsync(ServiceHarness services) =>
        services.QueryAsync(context =>
            context.RunDependencies.CountAsync(dependency => context.Downloads.Any(download => download.Key == dependency.Scope))
        );

    private static Task<ServiceHarness> StartAsync(params (string Name, string Value)[] settings) =>
        ServiceHarness.StartAsync((builder, consumers) => builder.AddIngestion(consumers), [Nearby, .. settings]);

    /// <summary>Takes an archive of ours for the published one.</summary>
    private static Task<ServiceHarness> StartAsync(Uri url, byte[] archive) =>
        ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.AddIngestion(consumers);
                builder.Services.AddSingleton(provider => new DownloadSources(
                    provider.GetRequiredService<IOptions<IngestionOptions>>(),
                    provider.GetRequiredService<BackboneList>()
                )
                {
                    Stl10 = new DownloadSource(
                        "STL-10",
                        url,
                        "sources/stl10_binary.tar.gz",
                        new DownloadExpectation(Sha256: Convert.ToHexStringLower(SHA256.HashData(archive)))
                    ),
                });
            },
            Nearby
        );

    private static async Task<byte[]> PackStl10Async()
    {
        var root = Directory.CreateTempSubdirectory("stl10-");
        try
        {
            var folder = Path.Combine(root.FullName, Stl10Files.Folder);
            await SampleDataset.WriteAsync(folder, seed: 5, trainImages: 10, testImages: 10);
            using var packed = new MemoryStream();
            await using (var zip = new GZipStream(packed, CompressionLevel.Fastest))
            {
                await TarFile.CreateFromDirectoryAsync(folder, zip, includeBaseDirectory: true);
            }

            return packed.ToArray();
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(string content) => File.WriteAllText(Path, content);

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
