using System.Net;
using System.Text.Json;
using Distributed.Contracts;
using Distributed.Imaging;
using Distributed.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class DatasetImageTests : IAsyncLifetime
{
    private AdminServer _server = null!;
    private PackedPets _pets = null!;

    private string Address => $"/api/v1/datasets/{_pets.Manifest.Sha256}";

    public async ValueTask InitializeAsync()
    {
        _server = await AdminServer.StartAsync();
        _pets = await PackedPets.AddAsync(_server);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("", "image/jpeg", 32)]
    [InlineData("?size=16", "image/jpeg", 16)]
    [InlineData("?size=1000", "image/jpeg", 32)]
    [InlineData("?format=png", "image/png", 32)]
    [InlineData("?format=png&size=20", "image/png", 20)]
    public async Task An_image_is_sent_by_its_hash_in_the_size_and_format_that_is_asked_for(string query, string type, int side)
    {
        using var response = await _server.Client.GetAsync($"{Address}/images/{PackedPets.Hash(3)}{query}");

        Assert.Equal((HttpStatusCode.OK, type), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        var image = ImageDecoder.Decode(
            await response.Content.ReadAsByteArrayAsync(),
            new ImagePreparation(side, Contracts.FitMode.Crop, Contracts.JpegDecoding.Full)
        );
        Assert.Equal((side, side), (image.Width, image.Height));
        Assert.All(image.Pixels, value => Assert.InRange(value, 108, 112));
    }

    [Fact]
    public async Task An_image_may_be_kept_for_ever_and_is_not_sent_twice()
    {
        using var first = await _server.Client.GetAsync($"{Address}/images/{PackedPets.Hash(3)}");
        using var again = new HttpRequestMessage(HttpMethod.Get, $"{Address}/images/{PackedPets.Hash(3)}");
        again.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using var second = await _server.Client.SendAsync(again);
        using var other = await _server.Client.GetAsync($"{Address}/images/{PackedPets.Hash(3)}?size=16");

        Assert.Equal("private, max-age=31536000, immutable", string.Join(", ", first.Headers.NonValidated["Cache-Control"]));
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
        Assert.Empty(await second.Content.ReadAsByteArrayAsync());
        Assert.NotEqual(first.Headers.ETag, other.Headers.ETag);
    }

    [Theory]
    [InlineData("..%2F..%2Fetc%2Fpasswd")]
    [InlineData("zzzz")]
    public async Task What_is_no_image_of_the_data_set_is_not_found_whatever_it_is(string image)
    {
        await _server.GetProblemAsync($"{Address}/images/{image}", HttpStatusCode.NotFound);
        await _server.GetProblemAsync($"/api/v1/datasets/{image}/images/{PackedPets.Hash(3)}", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_damaged_pack_is_gone_by_name()
    {
        var volume = _server.Services.GetRequiredService<Volume>();
        var bytes = new byte[8 * PackedPets.Side * PackedPets.Side * 3];
        await File.WriteAllBytesAsync(volume.FullPath("ingestions/ingestion-1/part-0.u8"), bytes);

        var problem = await _server.GetProblemAsync($"{Address}/images/{PackedPets.Hash(3)}", HttpStatusCode.Gone);

        Assert.Contains("part-0.u8", problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Images_are_listed_by_class_and_split_in_pages()
    {
        var all = await _server.GetAsync($"{Address}/images");
        Assert.Equal(8, all.GetProperty("items").GetArrayLength());
        Assert.Equal(["cat/0.png", "cat/2.png", "cat/4.png", "cat/6.png"], Names(await _server.GetAsync($"{Address}/images?class=cat")));
        Assert.Equal(["dog/5.png", "cat/6.png", "dog/7.png"], Names(await _server.GetAsync($"{Address}/images?split=test")));

        var first = await _server.GetAsync($"{Address}/images?limit=5");
        var second = await _server.GetAsync($"{Address}/images?limit=5&after={first.GetProperty("next").GetInt32()}");

        Assert.Equal(Names(all), [.. Names(first), .. Names(second)]);
        Assert.Equal(JsonValueKind.Null, second.GetProperty("next").ValueKind);
        var wrong = await _server.GetProblemAsync($"{Address}/images?class=cats&split=night", HttpStatusCode.BadRequest);
        Assert.Contains("did you mean cat?", wrong.GetProperty("errors").GetProperty("class")[0].GetString());
        Assert.Contains("train, validation, test, unassigned", wrong.GetProperty("errors").GetProperty("split")[0].GetString());
    }

    [Fact]
    public async Task Images_are_named_by_their_rows_and_come_in_that_order()
    {
        Assert.Equal(["dog/5.png", "cat/0.png"], Names(await _server.GetAsync($"{Address}/images?row=5&row=0")));
        Assert.Equal(["cat/0.png"], Names(await _server.GetAsync($"{Address}/images?row=5&row=0&class=cat")));

        var wrong = await _server.GetProblemAsync($"{Address}/images?row=0&row=8", HttpStatusCode.BadRequest);
        Assert.Equal(
            "is 8; the data set has 8 images, and the first is row 0",
            wrong.GetProperty("errors").GetProperty("row")[0].GetString()
        );
    }

    [Fact]
    public async Task With_a_run_splits_are_those_that_it_drew()
    {
        var run = await _pets.EvaluateAsync((4, 0, 0.9f, 0.9f));

        Assert.Equal(["dog/3.png"], Names(await _server.GetAsync($"{Address}/images?split=validation&run={run.Id}")));
        Assert.Equal(["dog/7.png"], Names(await _server.GetAsync($"{Address}/images?split=removed&run={run.Id}")));
        await _server.GetProblemAsync($"{Address}/images?run={Guid.NewGuid()}", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Classes_have_counts_splits_and_samples()
    {
        var classes = await _server.GetAsync($"{Address}/classes?samples=2");

        Assert.Equal((8, 1.0), (classes.GetProperty("images").GetInt32(), classes.GetProperty("imbalance").GetDouble()));
        var cat = classes.GetProperty("items")[0];
        Assert.Equal(
            ("cat", 4, 3),
            (
                cat.GetProperty("name").GetString(),
                cat.GetProperty("images").GetInt32(),
                cat.GetProperty("splits").GetProperty("train").GetInt32()
            )
        );
        Assert.Equal(["cat/0.png", "cat/4.png"], cat.GetProperty("samples").EnumerateArray().Select(Name));
    }

    [Fact]
    public async Task Skipped_files_have_their_reason_and_what_to_do()
    {
        var skipped = await _server.GetAsync($"{Address}/skipped");

        Assert.Equal(["cat/notes.txt", "dog/broken.png"], Names(skipped));
        Assert.Equal(
            ("damaged", "it ends too soon", "copy them again from their source"),
            (
                skipped.GetProperty("items")[1].GetProperty("reason").GetString(),
                skipped.GetProperty("items")[1].GetProperty("detail").GetString(),
                skipped.GetProperty("items")[1].GetProperty("advice").GetString()
            )
        );
        Assert.Equal(["cat/notes.txt"], Names(await _server.GetAsync($"{Address}/skipped?reason=notAnImage")));
    }

    [Fact]
    public async Task Duplicates_tell_whether_they_cross_splits_and_classes()
    {
        var duplicates = await _server.GetAsync($"{Address}/duplicates?acrossSplits=true&differentClasses=true");

        var only = Assert.Single(duplicates.GetProperty("items").EnumerateArray());
        Assert.Equal(PackedPets.Hash(0), only.GetProperty("sha256").GetString());
        Assert.Equal(["cat/0.png", "dog/7.png"], only.GetProperty("occurrences").EnumerateArray().Select(Name));
    }

    [Fact]
    public async Task A_cell_of_the_confusion_matrix_has_its_images_and_mistakes_come_the_surest_first()
    {
        var run = await _pets.EvaluateAsync((4, 1, 0.6f, 0.4f), (5, 0, 0.9f, 0.1f), (6, 0, 0.8f, 0.8f));

        Assert.Equal(["dog/5.png"], Names(await _server.GetAsync($"/api/v1/runs/{run.Id}/images?actual=dog&predicted=cat")));
        var mistakes = await _server.GetAsync($"/api/v1/runs/{run.Id}/images?right=false&sort=confident");
        Assert.Equal(["dog/5.png", "cat/4.png"], Names(mistakes));
        Assert.Equal(2, mistakes.GetProperty("total").GetInt32());
        Assert.True(mistakes.GetProperty("items")[0].GetProperty("isLeaked").GetBoolean());
        Assert.Equal(["cat/4.png"], Names(await _server.GetAsync($"/api/v1/runs/{run.Id}/images?sort=unsure&limit=1")));
        Assert.Equal(["dog/5.png"], Names(await _server.GetAsync($"/api/v1/runs/{run.Id}/images?sort=unlikely&limit=1")));
        await _server.GetProblemAsync($"/api/v1/runs/{run.Id}/images?actual=bird", HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Doubted_labels_and_near_duplicates_have_their_images()
    {
        var run = await _pets.EvaluateAsync((4, 1, 0.6f, 0.4f));

        var labels = await _server.GetAsync($"/api/v1/runs/{run.Id}/labels?doubted=true");
        var near = await _server.GetAsync($"/api/v1/runs/{run.Id}/near-duplicates");

        Assert.Equal(["cat/2.png"], Names(labels));
        Assert.Equal("dog", labels.GetProperty("items")[0].GetProperty("suggested").GetString());
        Assert.Equal(
            ("dog/5.png", "train"),
            (
                Name(near.GetProperty("items")[0].GetProperty("test")),
                near.GetProperty("items")[0].GetProperty("training").GetProperty("split").GetString()
            )
        );
    }

    [Fact]
    public async Task A_run_that_is_not_evaluated_says_so()
    {
        var run = CatalogRows.Run(state: Contracts.RunState.Submitted);
        await _server.AddAsync(run);

        var problem = await _server.GetProblemAsync($"/api/v1/runs/{run.Id}/images", HttpStatusCode.NotFound);

        Assert.Contains("has no test result before it is complete", problem.GetProperty("detail").GetString());
        await _server.GetProblemAsync($"/api/v1/runs/{Guid.NewGuid()}/labels", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Two_runs_are_compared_by_settings_figures_and_the_images_that_one_alone_has_right()
    {
        var one = await _pets.EvaluateAsync((4, 0, 0.9f, 0.9f), (5, 0, 0.9f, 0.1f), (6, 1, 0.8f, 0.2f));
        var other = await _pets.EvaluateAsync((4, 0, 0.9f, 0.9f), (5, 1, 0.7f, 0.7f), (6, 1, 0.8f, 0.2f));
        var third = CatalogRows.Run(new Contracts.RunSpecification { Seed = 7, Name = "only a name" });
        await _server.AddAsync(third);

        var two = await _server.GetAsync($"/api/v1/runs/compare?run={one.Id}&run={other.Id}");
        var three = await _server.GetAsync($"/api/v1/runs/compare?run={one.Id}&run={other.Id}&run={third.Id}");

        Assert.Equal(
            (3, 1, 2, 0, 1, 1.0),
            (
                two.GetProperty("test").GetProperty("images").GetInt32(),
                two.GetProperty("test").GetProperty("firstRight").GetInt32(),
                two.GetProperty("test").GetProperty("secondRight").GetInt32(),
                two.GetProperty("test").GetProperty("firstOnly").GetInt32(),
                two.GetProperty("test").GetProperty("secondOnly").GetInt32(),
                two.GetProperty("test").GetProperty("pValue").GetDouble()
            )
        );
        Assert.Equal(0, two.GetProperty("settings").GetArrayLength());
        var accuracy = two.GetProperty("metrics")[0];
        Assert.Equal(
            ("accuracy", 0.67),
            (accuracy.GetProperty("name").GetString(), accuracy.GetProperty("values")[0].GetProperty("value").GetDouble())
        );
        var seed = Assert.Single(three.GetProperty("settings").EnumerateArray());
        Assert.Equal("seed", seed.GetProperty("field").GetString());
        Assert.Equal([0, 0, 7], seed.GetProperty("values").EnumerateArray().Select(value => value.GetInt32()));
        Assert.Equal(JsonValueKind.Null, three.GetProperty("test").ValueKind);
        Assert.Equal(JsonValueKind.Null, three.GetProperty("metrics")[0].GetProperty("values")[2].ValueKind);
        var disagreements = await _server.GetAsync($"/api/v1/runs/{one.Id}/disagreements?with={other.Id}");
        var only = Assert.Single(disagreements.GetProperty("items").EnumerateArray());
        Assert.Equal(
            ("dog/5.png", "cat", "dog"),
            (
                Name(only),
                only.GetProperty("first").GetProperty("predicted").GetString(),
                only.GetProperty("second").GetProperty("predicted").GetString()
            )
        );
        Assert.Equal(
            0,
            (await _server.GetAsync($"/api/v1/runs/{one.Id}/disagreements?with={other.Id}&right=first")).GetProperty("total").GetInt32()
        );
        await _server.GetProblemAsync($"/api/v1/runs/compare?run={one.Id}", HttpStatusCode.BadRequest);
        await _server.GetProblemAsync($"/api/v1/runs/compare?run={one.Id}&run={one.Id}", HttpStatusCode.BadRequest);
        await _server.GetProblemAsync($"/api/v1/runs/compare?run={one.Id}&run={Guid.NewGuid()}", HttpStatusCode.NotFound);
    }

    private static IEnumerable<string> Names(JsonElement page) => page.GetProperty("items").EnumerateArray().Select(Name);

    private static string Name(JsonElement image) => image.GetProperty("name").GetString()!;
}
