using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Distributed.Contracts;
using Distributed.Imaging;

namespace Distributed.Inference.Tests;

public sealed class OpenInferenceTests(ServedSample sample)
{
    private const string Infer = "/v2/models/shapes/infer";

    [Fact]
    public async Task Outputs_are_those_that_are_asked_for_as_json_or_behind_it()
    {
        var input = new
        {
            name = "images",
            datatype = "BYTES",
            shape = new[] { 1 },
            data = new[] { Convert.ToBase64String(sample.Images[0]) },
        };
        using var plain = await sample.Api.PostAsJsonAsync(Infer, new { inputs = new[] { input } });
        var whole = await plain.Content.ReadFromJsonAsync<JsonElement>();
        float[] expected = [.. whole.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(value => value.GetSingle())];
        var label = whole.GetProperty("outputs")[1].GetProperty("data")[0].GetString();

        using var response = await sample.Api.PostAsJsonAsync(
            Infer,
            new
            {
                inputs = new[] { input },
                outputs = new object[] { new { name = "labels", parameters = new { binary_data = true } }, new { name = "probabilities" } },
                parameters = new { binary_data_output = true },
            }
        );

        var body = await response.Content.ReadAsByteArrayAsync();
        var length = int.Parse(response.Headers.GetValues("Inference-Header-Content-Length").Single(), CultureInfo.InvariantCulture);
        var outputs = JsonDocument.Parse(body.AsMemory(0, length)).RootElement.GetProperty("outputs");
        Assert.Equal(["labels", "probabilities"], outputs.EnumerateArray().Select(output => output.GetProperty("name").GetString()));
        var size = outputs[0].GetProperty("parameters").GetProperty("binary_data_size").GetInt32();
        Assert.Equal(size - sizeof(uint), BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(length)));
        Assert.Equal(label, Encoding.UTF8.GetString(body, length + sizeof(uint), size - sizeof(uint)));
        Assert.Equal(expected, MemoryMarshal.Cast<byte, float>(body.AsSpan(length + size)).ToArray());

        using var one = await sample.Api.PostAsJsonAsync(
            Infer,
            new { inputs = new[] { input }, outputs = new[] { new { name = "labels" } } }
        );
        Assert.Equal(
            label,
            Assert
                .Single((await one.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("outputs").EnumerateArray())
                .GetProperty("data")[0]
                .GetString()
        );
        using var unknown = await sample.Api.PostAsJsonAsync(
            Infer,
            new { inputs = new[] { input }, outputs = new[] { new { name = "logits" } } }
        );
        Assert.Equal(HttpStatusCode.BadRequest, unknown.StatusCode);
        Assert.Contains(
            "'logits' is none of this model's",
            Text(await unknown.Content.ReadFromJsonAsync<JsonElement>(), "error"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Image_files_in_base64_get_the_probabilities_of_the_api()
    {
        var request = new
        {
            id = "first",
            inputs = new[]
            {
                new
                {
                    name = "images",
                    shape = new[] { sample.Images.Count },
                    datatype = "BYTES",
                    data = sample.Images,
                },
            },
        };

        using var response = await sample.Api.PostAsJsonAsync(Infer, request);

        var answer = await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(("shapes", "1", "first"), (Text(answer, "model_name"), Text(answer, "model_version"), Text(answer, "id")));
        await AssertEqualAsync(answer, sample.Images);
    }

    [Fact]
    public async Task Image_files_behind_the_json_get_the_same()
    {
        using var body = new MemoryStream();
        var json = Encoding.UTF8.GetBytes(
            """{"inputs":[{"name":"images","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":1}}]}"""
        );
        body.Write(json);
        foreach (var image in sample.Images.Take(2))
        {
            var length = new byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, image.Length);
            body.Write(length);
            body.Write(image);
        }

        using var content = new ByteArrayContent(body.ToArray());
        content.Headers.Add("Inference-Header-Content-Length", $"{json.Length}");
        using var response = await sample.Api.PostAsync(Infer, content);

        var answer = await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>();
        await AssertEqualAsync(answer, [.. sample.Images.Take(2)]);
    }

    [Fact]
    public async Task Pixels_get_the_probabilities_of_the_image_they_are_of()
    {
        var pixels = ImageFitting.Fit(ImageDecoder.Decode(sample.Images[1]), 96, FitMode.Crop);
        var request = new
        {
            inputs = new[]
            {
                new
                {
                    name = "pixels",
                    shape = new[] { 1, 96, 96, 3 },
                    datatype = "UINT8",
                    data = pixels.Select(value => (int)value).ToArray(),
                },
            },
        };

        using var response = await sample.Api.PostAsJsonAsync("/v2/models/shapes/versions/champion/infer", request);

        var answer = await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>();
        await AssertEqualAsync(answer, [sample.Images[1]]);
    }

    [Theory]
    [InlineData("""{"inputs":[]}""", "one input")]
    [InlineData("""{"inputs":[{"name":"images","shape":[1],"datatype":"FP32","data":[1]}]}""", "'images' of FP32")]
    [InlineData("""{"inputs":[{"name":"images","shape":[2],"datatype":"BYTES","data":["aGk="]}]}""", "shape [2], and 1 elements")]
    [InlineData("""{"inputs":[{"name":"images","shape":[1],"datatype":"BYTES","data":["?"]}]}""", "Base64")]
    [InlineData("""{"inputs":[{"name":"images","shape":[1],"datatype":"BYTES","data":["aGk="]}]}""", "Image 0 cannot be used")]
    [InlineData("""{"inputs":[{"name":"pixels","shape":[1,2,2,3],"datatype":"UINT8","data":[1]}]}""", "[n, 96, 96, 3]")]
    [InlineData("""{"inputs":[{"name":"pixels","shape":[1,96,96,3],"datatype":"UINT8","data":[256]}]}""", "0 to 255")]
    [InlineData("nothing", "no JSON")]
    public async Task What_cannot_be_understood_is_answered_with_the_reason(string body, string reason)
    {
        using var response = await sample.Api.PostAsync(Infer, new StringContent(body));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(reason, Text(await response.Content.ReadFromJsonAsync<JsonElement>(), "error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_and_model_describe_themselves()
    {
        Assert.Equal(HttpStatusCode.OK, (await sample.Api.GetAsync("/v2/health/live")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await sample.Api.GetAsync("/v2/health/ready")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await sample.Api.GetAsync("/v2/models/shapes/ready")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await sample.Api.GetAsync("/v2/models/other/ready")).StatusCode);
        Assert.Equal("distributed", Text(await sample.Api.GetFromJsonAsync<JsonElement>("/v2"), "name"));
        var model = await sample.Api.GetFromJsonAsync<JsonElement>("/v2/models/shapes");
        Assert.Equal(["images", "pixels"], model.GetProperty("inputs").EnumerateArray().Select(input => Text(input, "name")));
        Assert.Equal(["probabilities", "labels"], model.GetProperty("outputs").EnumerateArray().Select(output => Text(output, "name")));
    }

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private async Task AssertEqualAsync(JsonElement answer, IReadOnlyList<byte[]> images)
    {
        var model = await sample.Api.GetFromJsonAsync<JsonElement>("/v2/models/shapes");
        string[] classes =
        [
            .. model.GetProperty("parameters").GetProperty("class_names").EnumerateArray().Select(name => name.GetString()!),
        ];
        var outputs = answer.GetProperty("outputs").EnumerateArray().ToDictionary(output => Text(output, "name"));
        Assert.Equal(
            [images.Count, classes.Length],
            outputs["probabilities"].GetProperty("shape").EnumerateArray().Select(side => side.GetInt32())
        );
        float[] probabilities = [.. outputs["probabilities"].GetProperty("data").EnumerateArray().Select(value => value.GetSingle())];
        string[] labels = [.. outputs["labels"].GetProperty("data").EnumerateArray().Select(value => value.GetString()!)];
        for (var i = 0; i < images.Count; i++)
        {
            var expected = await sample.PredictAsync(images[i]);
            Assert.All(classes.Index(), one => Assert.Equal(expected[one.Item], probabilities[(i * classes.Length) + one.Index], 1e-5));
            Assert.Equal(expected.MaxBy(pair => pair.Value).Key, labels[i]);
        }
    }
}
