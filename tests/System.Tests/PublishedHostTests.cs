using Distributed.Imaging;
using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>Hosts as the images have them: made by <c>dotnet publish</c> with the options of the Dockerfile.</summary>
public sealed class PublishedHostTests(Publication publication) : IClassFixture<Publication>
{
    private const int Images = 400;

    /// <summary>Files of the build that serve those who build.</summary>
    private static readonly string[] OfBuild = [".pdb", ".xml", ".staticwebassets.endpoints.json"];

    [Theory]
    [InlineData("Ingestion")]
    [InlineData("Evaluation")]
    public async Task A_published_service_has_all_files_of_the_program_that_decodes_apart(string service)
    {
        var build = Path.GetDirectoryName(TestEnvironment.ServiceDll(service))!;

        var published = await publication.FolderAsync(service);

        var missing = Directory
            .GetFiles(build, "Distributed.*")
            .Select(Path.GetFileName)
            .Where(name => !OfBuild.Any(name!.EndsWith) && !File.Exists(Path.Combine(published, name!)));
        Assert.Empty(missing);
    }

    [Fact]
    public async Task The_published_Ingestion_carries_the_photos_that_are_a_data_set_by_their_word() =>
        Assert.True(File.Exists(Path.Combine(await publication.FolderAsync("Ingestion"), "Samples", "clothing.zip")));

    [Fact]
    public async Task A_published_host_that_is_lost_while_it_packs_leaves_out_no_image()
    {
        var data = Directory.CreateTempSubdirectory("published-");
        try
        {
            WritePictures(data.FullName);
            var (admin, ingestion) = (await publication.ProgramAsync("AdminApi"), await publication.ProgramAsync("Ingestion"));
            await using var cluster = await Cluster.StartAsync(
                new Dictionary<string, string?> { ["Data__Roots__1"] = data.FullName },
                cluster =>
                {
                    cluster.Programs = service =>
                        service switch
                        {
                            "AdminApi" => admin,
                            "Ingestion" => ingestion,
                            _ => TestEnvironment.ServiceDll(service),
                        };
                    return Task.CompletedTask;
                }
            );
            var runId = await cluster.SubmitAsync(
                new
                {
                    dataset = data.FullName,
                    inputSize = 32,
                    precision = "fp32",
                }
            );

            const string open =
                "select count(*) from attempts a join jobs u on u.id = a.job_id where u.kind = 'PackImages' and a.outcome is null";
            await cluster.WaitAsync("a part to be packed", () => cluster.QueryAsync<long>(open), count => count > 0);
            await cluster.KillAsync("Ingestion");
            Assert.Equal(1, await cluster.QueryAsync<long>(open));
            cluster.Start("Ingestion");
            await cluster.WaitForCompletionAsync(runId);

            Assert.Contains(
                cluster.Host("Ingestion").Lines,
                line => line.Contains("decoded apart from the host", StringComparison.Ordinal)
            );
            Assert.Equal(
                (Images, 0),
                (
                    await cluster.QueryAsync<int>("select image_count from datasets"),
                    await cluster.QueryAsync<int>("select skipped_count from ingestions")
                )
            );
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    /// <summary>Large enough that a part takes seconds to pack.</summary>
    private static void WritePictures(string folder)
    {
        const int Side = 400;
        foreach (var (name, brightness) in new[] { ("dark", 40), ("light", 180) })
        {
            Directory.CreateDirectory(Path.Combine(folder, name));
            Parallel.For(
                0,
                Images / 2,
                image =>
                {
                    var pixels = new byte[Side * Side * 3];
                    new Random(image + brightness).NextBytes(pixels);
                    for (var i = 0; i < pixels.Length; i++)
                    {
                        pixels[i] = (byte)((pixels[i] / 4) + brightness);
                    }

                    File.WriteAllBytes(Path.Combine(folder, name, $"{image:D3}.png"), PngEncoder.Encode(pixels, Side, Side));
                }
            );
        }
    }
}
