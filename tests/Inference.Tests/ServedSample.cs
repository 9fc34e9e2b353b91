using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.Inference.Tests;
using Distributed.TestServers;
using SkiaSharp;

[assembly: AssemblyFixture(typeof(ServedSample))]

namespace Distributed.Inference.Tests;

/// <summary>A server with a model, its package, and images to ask for.</summary>
public sealed class ServedSample : IAsyncLifetime
{
    private SampleServer? _server;

    /// <summary>The server.</summary>
    public SampleServer Server => _server!;

    /// <summary>Its API.</summary>
    public HttpClient Api => Server.Api;

    /// <summary>A key that may predict and no more.</summary>
    public string PredictorKey { get; private set; } = "";

    /// <summary>Path of the model's package.</summary>
    public string Package { get; private set; } = "";

    /// <summary>Images of different shapes and sizes, as files.</summary>
    public IReadOnlyList<byte[]> Images { get; } =
    [
        ColouredFields.Draw(1, 64, 64),
        ColouredFields.Draw(2, 150, 90),
        ColouredFields.Draw(3, 37, 211),
        ColouredFields.Draw(4, 500, 375),
        ColouredFields.Draw(5, 96, 96),
    ];

    /// <summary>A JPEG that is several times the model's input size, with detail that is gone when it is decoded smaller.</summary>
    public byte[] Photo { get; } = DrawPhoto();

    private static byte[] DrawPhoto()
    {
        using var bitmap = new SKBitmap(1201, 900);
        for (var y = 0; y < bitmap.Height; y++)
        {
            for (var x = 0; x < bitmap.Width; x++)
            {
                bitmap.SetPixel(x, y, new SKColor((byte)(x * x / 97), (byte)(x * y / 31), (byte)(y * 7)));
            }
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 90);
        return data.ToArray();
    }

    public async ValueTask InitializeAsync()
    {
        _server = await SampleServer.StartAsync(new { precision = "fp32", report = false });
        Package = Server.Write("shapes-1.zip", await Api.GetByteArrayAsync("/api/v1/models/shapes@champion/export"));
        PredictorKey = (await Server.ExecuteAsync("keys", "create", "caller", "--role", "predictor")).Output.Trim();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    /// <summary>What the server's own API says of an image: probabilities by class.</summary>
    public async Task<Dictionary<string, double>> PredictAsync(byte[] image)
    {
        using var content = new ByteArrayContent(image) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } };
        using var response = await Api.PostAsync("/api/v1/models/shapes@champion/predict?top=1000", content);
        var answer = await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>();
        return answer
            .GetProperty("images")[0]
            .GetProperty("classes")
            .EnumerateArray()
            .ToDictionary(one => one.GetProperty("class").GetString()!, one => one.GetProperty("probability").GetDouble());
    }
}
