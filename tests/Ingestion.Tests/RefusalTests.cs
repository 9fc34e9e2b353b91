using System.IO.Compression;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Imaging;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.ServiceTests;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Ingestion.Tests;

public sealed class RefusalTests : IAsyncLifetime
{
    private ServiceHarness _services = null!;

    public async ValueTask InitializeAsync() =>
        _services = await ServiceHarness.StartAsync((builder, consumers) => builder.AddIngestion(consumers));

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Fact]
    public async Task A_path_outside_the_open_directories_is_refused_and_named()
    {
        var outside = Directory.CreateDirectory(Path.Combine(_services.Root, "private")).FullName;

        var reason = await FailAsync(outside);

        Assert.Contains($"'{outside}' is outside the directories that runs may read", reason);
        Assert.Contains("Data:Roots", reason);
        Assert.Equal(
            reason,
            (await FailAsync(_services.Data("../private"))).Replace(_services.Data("../private"), outside, StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("a/1.png", "has a single class, 'a'")]
    [InlineData("1.png", "has no class folders")]
    public async Task An_error_in_an_archive_names_the_archive_and_no_folder_of_the_volume(string name, string expected)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var entry = zip.CreateEntry(name).Open();
            entry.Write(ServiceHarness.Picture(0, 1));
        }

        var archive = _services.WriteFile("pets.zip", bytes.ToArray());

        var reason = await FailAsync(archive);

        Assert.Contains($"'{archive}' {expected}", reason);
        Assert.DoesNotContain(_services.Volume.Root, reason);
    }

    [Fact]
    public async Task A_link_that_leads_outside_is_refused()
    {
        _services.WritePictures("../private/pets");
        Directory.CreateSymbolicLink(_services.Data("link"), Path.Combine(_services.Root, "private", "pets"));

        Assert.Contains("outside the directories that runs may read", await FailAsync(_services.Data("link")));
        Assert.Contains("outside the directories that runs may read", await FailAsync(_services.Data("link/class0")));
    }

    [Fact]
    public async Task A_link_that_stays_inside_is_followed()
    {
        var folder = _services.WritePictures("pets");
        Directory.CreateSymbolicLink(_services.Data("link"), folder);

        await _services.RunAsync(Specify(_services.Data("link")), RunState.Extracting);
    }

    [Fact]
    public async Task A_path_that_does_not_exist_is_named()
    {
        var reason = await FailAsync(_services.Data("nowhere"));

        Assert.Contains($"'{_services.Data("nowhere")}' does not exist", reason);
    }

    [Fact]
    public async Task An_empty_class_is_named()
    {
        var folder = _services.WritePictures("pets");
        Directory.CreateDirectory(Path.Combine(folder, "ghosts"));

        Assert.Contains("no images to train on for class 'ghosts'", await FailAsync(folder));
    }

    [Fact]
    public async Task A_class_without_one_readable_image_is_named_again_every_time()
    {
        var folder = _services.WritePictures("pets");
        _services.WriteFile("pets/ghosts/one.png", "boo"u8.ToArray());

        var reason = await FailAsync(folder);

        Assert.Contains("no usable images to train on for class 'ghosts'", reason);
        Assert.Contains("ghosts/one.png", reason);
        Assert.Equal(reason, await FailAsync(folder));
        Assert.Equal(1, await _services.CountStartsAsync(nameof(PackImages)));
    }

    [Fact]
    public async Task After_the_source_is_mended_the_next_run_goes_through()
    {
        var folder = _services.WritePictures("pets");
        _services.WriteFile("pets/ghosts/one.png", "boo"u8.ToArray());
        await FailAsync(folder);
        Directory.Delete(Path.Combine(folder, "ghosts"), recursive: true);

        await _services.RunAsync(Specify(folder), RunState.Extracting);
    }

    [Fact]
    public async Task A_single_class_is_refused()
    {
        Assert.Contains("single class", await FailAsync(_services.WritePictures("pets", classes: 1)));
    }

    [Fact]
    public async Task A_file_that_is_no_archive_is_refused()
    {
        var file = _services.WriteFile("pets.zip", "PK\u0003\u0004 and nothing more"u8.ToArray());

        var reason = await FailAsync(file);

        Assert.Contains(file, reason);
        Assert.Empty(Directory.GetDirectories(_services.Volume.FullPath("sources")));
    }

    [Fact]
    public async Task An_address_is_refused_as_one()
    {
        Assert.StartsWith("'https://example.org/pets.zip' is an address", await FailAsync("https://example.org/pets.zip"));
    }

    [Fact]
    public async Task A_file_that_goes_after_it_was_listed_fails_the_run_at_once()
    {
        var folder = _services.WritePictures("pets");
        var fileIndex = await DatasetSource.ListAsync(folder);
        File.Delete(Path.Combine(folder, "class1", "000.png"));

        var refused = await Assert.ThrowsAsync<DatasetException>(() =>
            ImagePacker.PackAsync(
                fileIndex,
                0,
                fileIndex.Entries.Count,
                new ImagePreparation(32, FitMode.Crop, JpegDecoding.Full),
                Stream.Null
            )
        );

        Assert.Contains("'class1/000.png'", refused.Message);
        Assert.True(_services.Services.GetRequiredService<JobErrors>().IsPermanent(refused));
    }

    private static RunSpecification Specify(string dataset) => new() { Dataset = dataset, InputSize = 32 };

    private Task<string> FailAsync(string dataset) => _services.FailAsync(Specify(dataset));
}
