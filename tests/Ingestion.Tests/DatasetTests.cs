using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Sources;
using Distributed.ServiceTests;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Ingestion.Tests;

public sealed class DatasetTests : IAsyncLifetime
{
    private ServiceHarness _services = null!;

    public async ValueTask InitializeAsync() =>
        _services = await ServiceHarness.StartAsync(
            (builder, consumers) => builder.AddIngestion(consumers),
            ("Ingestion:MostImagesAPart", "5"),
            ("Ingestion:SampleTrainImages", "100"),
            ("Ingestion:SampleTestImages", "100")
        );

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Fact]
    public async Task A_folder_becomes_a_data_set_with_its_manifest_and_packed_parts_on_the_volume()
    {
        var folder = _services.WritePictures("pets", classes: 2, imagesAClass: 6);

        var run = await IngestAsync(folder);

        var dataset = await _services.QueryAsync(context => context.Datasets.SingleAsync());
        Assert.Equal((run.DatasetSha256, "pets", folder, 12), (dataset.Sha256, dataset.Name, dataset.Source, dataset.ImageCount));
        Assert.Equal(["class0", "class1"], dataset.ClassNames);
        var manifest = JsonSerializer.Deserialize<DatasetManifest>(
            await _services.Volume.ReadAllBytesAsync(dataset.Manifest),
            DatasetJson.Options
        )!;
        Assert.Equal((dataset.Sha256, 12), (manifest.Sha256, manifest.Images.Count));
        Assert.Equal("class0/000.png", manifest.Images[0].Name);

        // Twelve images in parts of at most five, of 32 × 32 pixels of three bytes.
        var parts = await _services.QueryAsync(context => context.PackedParts.OrderBy(part => part.Part).ToListAsync());
        Assert.Equal([5, 5, 2], parts.Select(part => part.ImageCount));
        foreach (var part in parts)
        {
            Assert.Equal(part.ImageCount * 32 * 32 * 3, (await _services.Volume.ReadAllBytesAsync(part.Pixels)).Length);
        }
    }

    [Fact]
    public async Task Parts_are_bounded_in_bytes_too()
    {
        await using var services = await ServiceHarness.StartAsync(
            (builder, consumers) => builder.AddIngestion(consumers),
            ("Ingestion:MostBytesAPart", $"{1 << 20}")
        );

        await services.RunAsync(Specify(services.WritePictures("pets", imagesAClass: 4)) with { InputSize = 400 }, RunState.Extracting);

        // 400 × 400 pixels of three bytes: two images fit in a megabyte.
        Assert.Equal(
            [2, 2, 2, 2],
            await services.QueryAsync(context =>
                context.PackedParts.OrderBy(part => part.Part).Select(part => part.ImageCount).ToListAsync()
            )
        );
    }

    [Fact]
    public async Task Links_inside_the_data_roots_are_followed_by_every_stage_and_a_strange_name_ends_no_run()
    {
        var folder = _services.WritePictures("pets");
        _services.WritePictures("shared", classes: 1, imagesAClass: 3);
        Directory.CreateSymbolicLink(Path.Combine(folder, "class2"), _services.Data("shared/class0"));
        File.CreateSymbolicLink(Path.Combine(folder, "class0", "away.png"), "/etc/hostname");
        var strange = $"'{folder}/class0/'$'caf\\xe9.png'";
        using (var shell = Process.Start("bash", ["-c", $"touch {strange}"]))
        {
            await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        try
        {
            await IngestAsync(folder);
        }
        finally
        {
            // .NET cannot remove what it cannot name.
            using var shell = Process.Start("bash", ["-c", $"rm {strange}"]);
            await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        var dataset = await _services.QueryAsync(context => context.Datasets.SingleAsync());
        Assert.Equal(15, dataset.ImageCount);
        var summary = await _services.QueryAsync(context => context.Ingestions.Select(row => row.Summary!).SingleAsync());
        Assert.Equal((17, 15, 2), (summary.Files, summary.Images, summary.SkippedCount));
        Assert.Equal(["linkOutside", "nameNotUtf8"], summary.SkippedByReason.Select(group => group.Reason));
        Assert.Equal(["class0", "class1", "class2"], dataset.ClassNames);
    }

    [Fact]
    public async Task What_is_no_image_is_skipped_and_reported_with_the_reason()
    {
        var folder = _services.WritePictures("pets");
        _services.WriteFile("pets/class0/notes.txt", "no picture"u8.ToArray());
        _services.WriteFile("pets/class1/empty.jpg", []);
        _services.WriteFile("pets/class1/cut.png", ServiceHarness.Picture(1, 50)[..200]);

        await IngestAsync(folder);

        var ingestion = await _services.QueryAsync(context => context.Ingestions.SingleAsync());
        var summary = ingestion.Summary!;
        Assert.Equal((15, 12, 3, 3), (summary.Files, summary.Images, summary.SkippedCount, ingestion.SkippedCount));
        Assert.Equal(
            ["class0/notes.txt", "class1/cut.png", "class1/empty.jpg"],
            summary.Skipped.Select(file => file.Name).Order(StringComparer.Ordinal)
        );
        Assert.All(summary.Skipped, file => Assert.NotEmpty(file.Detail));
        Assert.Equal(3, summary.SkippedByReason.Sum(group => group.Count));
        Assert.Contains("damaged (copy them again from their source)", summary.DescribeSkipped(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_source_that_has_not_changed_is_packed_once()
    {
        var folder = _services.WritePictures("pets");
        var first = await IngestAsync(folder);
        var starts = await _services.CountStartsAsync(nameof(PackImages));

        var second = await IngestAsync(folder);

        Assert.Equal((first.IngestionKey, first.DatasetSha256), (second.IngestionKey, second.DatasetSha256));
        Assert.Equal(starts, await _services.CountStartsAsync(nameof(PackImages)));
        Assert.Equal(1, await _services.CountStartsAsync(nameof(CompleteDataset)));
    }

    [Fact]
    public async Task A_touched_file_is_packed_again_and_is_the_same_data_set()
    {
        var folder = _services.WritePictures("pets");
        var first = await IngestAsync(folder);
        File.SetLastWriteTimeUtc(Path.Combine(folder, "class0", "000.png"), new DateTime(2001, 2, 3, 0, 0, 0, DateTimeKind.Utc));

        var second = await IngestAsync(folder);

        Assert.NotEqual(first.IngestionKey, second.IngestionKey);
        Assert.Equal(first.DatasetSha256, second.DatasetSha256);
        Assert.Equal(1, await _services.QueryAsync(context => context.Datasets.CountAsync()));
    }

    [Fact]
    public async Task A_changed_file_is_another_data_set()
    {
        var folder = _services.WritePictures("pets");
        var first = await IngestAsync(folder);
        _services.WriteFile("pets/class0/000.png", ServiceHarness.Picture(0, 999));

        var second = await IngestAsync(folder);

        Assert.NotEqual(first.DatasetSha256, second.DatasetSha256);
    }

    [Fact]
    public async Task Runs_at_the_same_time_share_one_packing()
    {
        var folder = _services.WritePictures("pets", imagesAClass: 20);
        var runs = new[]
        {
            await _services.SubmitAsync(Specify(folder)),
            await _services.SubmitAsync(Specify(folder)),
            await _services.SubmitAsync(Specify(folder)),
        };

        foreach (var run in runs)
        {
            await _services.ReachAsync(run, RunState.Extracting);
        }

        Assert.Equal(1, await _services.QueryAsync(context => context.Ingestions.CountAsync()));
        Assert.Equal(8, await _services.CountStartsAsync(nameof(PackImages)));
    }

    [Theory]
    [InlineData(".tar.gz")]
    [InlineData(".zip")]
    public async Task An_archive_is_the_same_data_set_as_its_folder_and_is_extracted_once(string extension)
    {
        var folder = _services.WritePictures("pets");
        var archive = _services.Data("pets" + extension);
        if (extension == ".zip")
        {
            await ZipFile.CreateFromDirectoryAsync(folder, archive);
        }
        else
        {
            await using var file = File.Create(archive);
            await using var zip = new GZipStream(file, CompressionLevel.Fastest);
            await TarFile.CreateFromDirectoryAsync(folder, zip, includeBaseDirectory: true);
        }

        var first = await IngestAsync(archive);
        var second = await IngestAsync(archive);

        Assert.Equal((await IngestAsync(folder)).DatasetSha256, first.DatasetSha256);
        Assert.Equal(first.IngestionKey, second.IngestionKey);
        Assert.Single(Directory.GetDirectories(_services.Volume.FullPath("sources"), "archive-*"));
    }

    [Fact]
    public async Task Binary_files_in_stl10s_layout_are_read_with_their_splits()
    {
        await SampleDataset.WriteAsync(_services.Data("stl"), seed: 1, trainImages: 20, testImages: 10);

        await IngestAsync(_services.Data("stl"));

        var dataset = await _services.QueryAsync(context => context.Datasets.SingleAsync());
        Assert.Equal(("STL-10 layout", 30, 10), (dataset.Name, dataset.ImageCount, dataset.ClassNames.Count));
    }

    [Fact]
    public async Task The_sample_is_drawn_once_for_every_split_seed()
    {
        var first = await IngestAsync("sample");
        var second = await IngestAsync("sample");
        var other = await _services.RunAsync(Specify("sample") with { SplitSeed = 3 }, RunState.Extracting);

        Assert.Equal(first.DatasetSha256, second.DatasetSha256);
        Assert.NotEqual(first.DatasetSha256, other.DatasetSha256);
        var names = await _services.QueryAsync(context => context.Datasets.Select(dataset => dataset.Name).ToListAsync());
        Assert.Equal(["sample (drawn with split seed 0)", "sample (drawn with split seed 3)"], names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_shipped_photos_of_clothes_are_ingested_by_their_word()
    {
        var run = await IngestAsync("clothing");
        var again = await IngestAsync("clothing");

        Assert.Equal(run.DatasetSha256, again.DatasetSha256);
        var dataset = await _services.QueryAsync(context => context.Datasets.SingleAsync());
        Assert.Equal(("clothing", 500), (dataset.Name, dataset.ImageCount));
        Assert.Equal(
            ["dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt"],
            dataset.ClassNames
        );
        var manifest = JsonSerializer.Deserialize<DatasetManifest>(
            await _services.Volume.ReadAllBytesAsync(dataset.Manifest),
            DatasetJson.Options
        )!;
        foreach (var (split, count) in new[] { (SplitName.Train, 38), (SplitName.Test, 12) })
        {
            var images = manifest.Images.Where(image => image.Split == split).ToList();
            Assert.Equal(
                Enumerable.Repeat(count, 10),
                images.CountBy(image => image.Label).OrderBy(pair => pair.Key).Select(pair => pair.Value)
            );
        }

        Assert.Equal(500, manifest.Images.Select(image => image.Sha256).Distinct().Count());
    }

    [Fact]
    public async Task The_shipped_photos_are_the_ones_that_the_script_made()
    {
        var archive = await File.ReadAllBytesAsync(ClothingSample.Archive);

        Assert.Equal(ClothingSample.Sha256, Convert.ToHexStringLower(SHA256.HashData(archive)));
        Assert.InRange(archive.Length, 1_000_000, 5_000_000);
    }

    private static RunSpecification Specify(string dataset) => new() { Dataset = dataset, InputSize = 32 };

    private Task<Run> IngestAsync(string dataset) => _services.RunAsync(Specify(dataset), RunState.Extracting);
}
