using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.Imaging;
using Distributed.Inference.Tests;
using Distributed.TestServers;

[assembly: AssemblyFixture(typeof(ServedSample))]

namespace Distributed.Inference.Tests;

/// <summary>A server in one process with a model of the sample, <c>shapes@champion</c>, and its package.</summary>
public sealed class ServedSample : IAsyncLifetime
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("inference-");
    private HostProcess? _server;

    /// <summary>The server.</summary>
    public HttpClient Api { get; } = new();

    /// <summary>A key that may predict and no more.</summary>
    public string PredictorKey { get; private set; } = "";

    /// <summary>Path of the model's package.</summary>
    public string Package => Path.Combine(_root.FullName, "shapes-1.zip");

    /// <summary>A folder for files of tests.</summary>
    public string Folder => _root.FullName;

    /// <summary>Images of different shapes and sizes, as files.</summary>
    public IReadOnlyList<byte[]> Images { get; } =
    [Draw(1, 64, 64), Draw(2, 150, 90), Draw(3, 37, 211), Draw(4, 500, 375), Draw(5, 96, 96)];

    public async ValueTask InitializeAsync()
    {
        var address = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        var volume = Path.Combine(_root.FullName, "volume");
        var settings = new Dictionary<string, string?>
        {
            ["Ingestion__SampleTrainImages"] = "200",
            ["Ingestion__SampleTestImages"] = "100",
            ["Training__Device"] = "cpu",
        };
        _server = HostProcess.Start(
            "dotnet",
            [TestEnvironment.ServiceDll("Standalone"), "serve", "--urls", address.ToString(), "--volume", volume],
            settings
        );
        await _server.WaitForHealthyAsync(new Uri(address, "/health/ready"));
        Api.BaseAddress = address;
        using var submitted = await Api.PostAsJsonAsync("/api/v1/runs", new { precision = "fp32", head = new { kind = "linear" } });
        var run = submitted.EnsureSuccessStatusCode().Headers.Location!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        JsonElement summary;
        do
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), patience.Token);
            summary = (await Api.GetFromJsonAsync<JsonElement>(run, patience.Token)).GetProperty("summary");
        } while (summary.GetProperty("state").GetString() is not ("completed" or "failed"));

        Assert.Equal("completed", summary.GetProperty("state").GetString());
        var runId = summary.GetProperty("runId").GetGuid();
        (await Api.PostAsJsonAsync("/api/v1/models/shapes/versions", new { runId })).EnsureSuccessStatusCode();
        (await Api.PutAsJsonAsync("/api/v1/models/shapes/aliases/champion", new { version = 1 })).EnsureSuccessStatusCode();
        await File.WriteAllBytesAsync(Package, await Api.GetByteArrayAsync("/api/v1/models/shapes@champion/export"));
        var keys = await RunAsync(
            "dotnet",
            [TestEnvironment.ServiceDll("Standalone"), "keys", "create", "caller", "--role", "predictor", "--volume", volume]
        );
        PredictorKey = keys.Output.Trim();
    }

    public async ValueTask DisposeAsync()
    {
        Api.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _root.Delete(recursive: true);
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

    /// <summary>Writes a file into the folder.</summary>
    public string Write(string name, byte[] content)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>Runs a program to its end, which must be a good one.</summary>
    public static async Task<(string Output, string Errors)> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        string? folder = null,
        int status = 0
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = folder ?? "",
        };
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        Assert.True(process.ExitCode == status, $"{program} ended with {process.ExitCode}: {await output}\n{await errors}");
        return (await output, await errors);
    }

    /// <summary>Coloured fields, as a PNG file.</summary>
    private static byte[] Draw(int seed, int width, int height)
    {
        const int Fields = 5;
        var random = new Random(seed);
        var colours = new byte[Fields * Fields * 3];
        random.NextBytes(colours);
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (x, y) = (i / 3 % width * Fields / width, i / 3 / width * Fields / height);
            pixels[i] = (byte)((colours[(((y * Fields) + x) * 3) + (i % 3)] + (i / 3)) & 0xFF);
        }

        return PngEncoder.Encode(pixels, width, height);
    }
}
