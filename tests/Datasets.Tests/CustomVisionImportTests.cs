using Distributed.Datasets.CustomVision;
using Distributed.TestServers;

namespace Distributed.Datasets.Tests;

public sealed class CustomVisionImportTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("custom-vision-");
    private readonly HttpClient _http = new();

    private string Folder => Path.Combine(_root.FullName, "flowers");

    public void Dispose()
    {
        _http.Dispose();
        _root.Delete(recursive: true);
    }

    [Fact]
    public async Task Images_of_all_pages_come_into_the_folders_of_their_tags()
    {
        // More than a page of the API.
        var images = Enumerable.Range(0, 300).Select(i => Image(i, i % 3 == 0 ? "rose" : "tulip")).ToList();
        await using var server = new CustomVisionServer(images);

        var outcome = await RunAsync(server);

        Assert.Equal(("flowers", 300, 300, 0), (outcome.Project, outcome.Images, outcome.Fetched, outcome.Skipped));
        Assert.Equal(["rose", "tulip"], outcome.Classes);
        Assert.Empty(outcome.Warnings);
        foreach (var image in images)
        {
            Assert.Equal(image.Content, await File.ReadAllBytesAsync(Path.Combine(Folder, image.Tags[0], $"{image.Id:D}.png")));
        }

        Assert.Equal(300, Directory.GetFiles(Folder, "*", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public async Task An_import_that_was_cut_off_goes_on_with_what_is_missing()
    {
        await using var server = new CustomVisionServer([.. Enumerable.Range(0, 20).Select(i => Image(i, "rose"))]) { FailsFrom = 8 };
        await Assert.ThrowsAsync<DatasetException>(() => RunAsync(server));
        var there = Directory
            .GetFiles(Folder, "*.png", SearchOption.AllDirectories)
            .Select(file => Guid.Parse(Path.GetFileNameWithoutExtension(file)))
            .ToList();
        Assert.InRange(there.Count, 1, 7);

        server.FailsFrom = null;
        var outcome = await RunAsync(server);

        Assert.Equal((20, 20 - there.Count), (outcome.Images, outcome.Fetched));
        // What was there is asked for once in all.
        Assert.All(there, id => Assert.Equal(1, server.Downloads.Count(asked => asked == id)));
        Assert.Equal(20, Directory.GetFiles(Folder, "*", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public async Task What_has_another_number_of_tags_than_one_is_left_out_and_said()
    {
        var both = Image(1, "rose", "tul\"ip");
        await using var server = new CustomVisionServer([Image(0, "rose"), both]) { ClassificationType = "Multilabel", Untagged = 4 };

        var outcome = await RunAsync(server);

        Assert.Equal((1, 1, 4), (outcome.Images, outcome.Skipped, outcome.Untagged));
        Assert.Equal(3, outcome.Warnings.Count);
        Assert.Contains("multilabel", outcome.Warnings[0], StringComparison.Ordinal);
        Assert.Equal(
            ["image,tags", $"{both.Id:D},\"rose; tul\"\"ip\""],
            await File.ReadAllLinesAsync(Folder + CustomVisionImport.SkippedSuffix)
        );
    }

    [Fact]
    public async Task Tags_that_are_no_names_of_folders_become_some()
    {
        await using var server = new CustomVisionServer([Image(0, "../../etc"), Image(1, "a/b: c"), Image(2, "...")]);

        var outcome = await RunAsync(server);

        Assert.Equal(["-..-etc", "a-b- c", "unnamed"], outcome.Classes);
        Assert.Equal(
            ["-..-etc", "a-b- c", "unnamed"],
            Directory.GetDirectories(Folder).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Tags_of_one_folder_name_are_refused_by_name()
    {
        await using var server = new CustomVisionServer([Image(0, "a/b"), Image(1, "a:b")]);

        var error = await Assert.ThrowsAsync<DatasetException>(() => RunAsync(server));

        Assert.Contains("'a/b' and 'a:b'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Projects_that_locate_objects_and_keys_that_open_nothing_are_refused()
    {
        await using var detection = new CustomVisionServer([Image(0, "rose")]) { DomainType = "ObjectDetection" };
        Assert.Contains(
            "locates objects",
            (await Assert.ThrowsAsync<DatasetException>(() => RunAsync(detection))).Message,
            StringComparison.Ordinal
        );

        await using var server = new CustomVisionServer([Image(0, "rose")]);
        var import = new CustomVisionImport(_http, server.Endpoint, "wrong", TimeProvider.System);
        var error = await Assert.ThrowsAsync<DatasetException>(() => import.RunAsync(server.Project, Folder, null, CancellationToken.None));
        Assert.Contains("training key", error.Message, StringComparison.Ordinal);
    }

    private static ProjectImage Image(int seed, params string[] tags) => new(Guid.NewGuid(), ColouredFields.Draw(seed, 16, 16), tags);

    private Task<ImportOutcome> RunAsync(CustomVisionServer server) =>
        new CustomVisionImport(_http, server.Endpoint, server.Key, TimeProvider.System).RunAsync(
            server.Project,
            Folder,
            progress: null,
            CancellationToken.None
        );
}
