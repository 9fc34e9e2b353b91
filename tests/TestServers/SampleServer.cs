using System.Net.Http.Json;
using System.Text.Json;
using Xunit;

namespace Distributed.TestServers;

/// <summary>All services in one process of their own, with a model of the sample that answers: <c>shapes@champion</c>.</summary>
public sealed class SampleServer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;

    private SampleServer(DirectoryInfo folder, HostProcess process, Uri address)
    {
        (_folder, Process) = (folder, process);
        Api = new HttpClient { BaseAddress = address };
    }

    /// <summary>The API, from this machine, where it wants no key.</summary>
    public HttpClient Api { get; }

    /// <summary>The process.</summary>
    public HostProcess Process { get; }

    /// <summary>The run that made the model.</summary>
    public Guid RunId { get; private set; }

    /// <summary>A folder for files, with the volume in it; deleted in the end.</summary>
    public string Folder => _folder.FullName;

    /// <summary>The volume.</summary>
    public string Volume => VolumeOf(_folder);

    /// <summary>Starts it, trains the model and registers it.</summary>
    /// <param name="specification">Of the run.</param>
    /// <param name="settings">Of the process; those of a small sample where null.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public static async Task<SampleServer> StartAsync(
        object specification,
        IReadOnlyDictionary<string, string?>? settings = null,
        CancellationToken cancellationToken = default
    )
    {
        var folder = Directory.CreateTempSubdirectory("distributed-served-");
        var address = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        var process = HostProcess.StartService(
            TestEnvironment.ServiceDll("Standalone"),
            ["serve", "--urls", address.ToString(), "--volume", VolumeOf(folder)],
            settings
                ?? new Dictionary<string, string?>
                {
                    ["Ingestion__SampleTrainImages"] = "200",
                    ["Ingestion__SampleTestImages"] = "100",
                    ["Training__Device"] = "cpu",
                }
        );
        var server = new SampleServer(folder, process, address);
        try
        {
            await process.WaitForHealthyAsync(new Uri(address, "/health/ready"), cancellationToken: cancellationToken);
            await server.TrainAsync(specification, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a command of the same program on its volume.</summary>
    public Task<FinishedProgram> ExecuteAsync(params IEnumerable<string> arguments) =>
        FinishedProgram.RunAsync("dotnet", [TestEnvironment.ServiceDll("Standalone"), .. arguments, "--volume", Volume]);

    /// <summary>Writes a file into the folder.</summary>
    public string Write(string name, byte[] content)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Api.Dispose();
        await Process.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static string VolumeOf(DirectoryInfo folder) => Path.Combine(folder.FullName, "volume");

    private async Task TrainAsync(object specification, CancellationToken cancellationToken)
    {
        using var submitted = await Api.PostAsJsonAsync("/api/v1/runs", specification, cancellationToken);
        var run = submitted.EnsureSuccessStatusCode().Headers.Location!;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TimeSpan.FromMinutes(3));
        JsonElement summary;
        do
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), patience.Token);
            summary = (await Api.GetFromJsonAsync<JsonElement>(run, patience.Token)).GetProperty("summary");
        } while (summary.GetProperty("state").GetString() is not ("completed" or "failed"));

        Assert.True(summary.GetProperty("state").GetString() == "completed", summary.GetProperty("failure").GetString());
        RunId = summary.GetProperty("runId").GetGuid();
        using var registered = await Api.PostAsJsonAsync("/api/v1/models/shapes/versions", new { RunId }, patience.Token);
        registered.EnsureSuccessStatusCode();
        using var promoted = await Api.PutAsJsonAsync("/api/v1/models/shapes/aliases/champion", new { version = 1 }, patience.Token);
        promoted.EnsureSuccessStatusCode();
    }
}
