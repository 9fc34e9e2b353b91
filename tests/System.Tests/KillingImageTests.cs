using Distributed.Imaging;
using Distributed.TestServers;
using FragileHost = Distributed.FragileIngestion.Program;

namespace Distributed.System.Tests;

public sealed class KillingImageTests
{
    [Fact]
    public async Task A_file_whose_decoding_kills_the_worker_is_left_out_by_name_and_the_run_completes()
    {
        var data = Directory.CreateTempSubdirectory("killing-");
        try
        {
            WritePictures(data.FullName);
            await File.WriteAllBytesAsync(Path.Combine(data.FullName, "light", "killer.png"), FragileHost.Killing.ToArray());
            await using var cluster = await Cluster.StartAsync(new Dictionary<string, string?> { ["Data__Roots__1"] = data.FullName });
            await cluster.KillAsync("Ingestion");
            using var end = new CancellationTokenSource();
            var hosts = KeepUpAsync(cluster, end.Token);

            var runId = await cluster.SubmitAsync(
                new
                {
                    dataset = data.FullName,
                    inputSize = 32,
                    precision = "fp32",
                }
            );
            await cluster.WaitForCompletionAsync(runId);
            await end.CancelAsync();

            Assert.Equal(1, await hosts);
            Assert.Equal(
                2,
                await cluster.QueryAsync<long>("select count(*) from attempts a join jobs u on u.id = a.job_id where u.kind = 'PackImages'")
            );
            Assert.Equal(
                (40, 1),
                (
                    await cluster.QueryAsync<int>("select image_count from datasets"),
                    await cluster.QueryAsync<int>("select skipped_count from ingestions")
                )
            );
            var report = await cluster.GetTextAsync($"/api/v1/runs/{runId}/report");
            Assert.Contains("light/killer.png", report, StringComparison.Ordinal);
            Assert.Contains("ends the process that does it", report, StringComparison.Ordinal);
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    /// <summary>Starts the host again whenever it has died, as an orchestrator does.</summary>
    /// <returns>How often it died.</returns>
    private static async Task<int> KeepUpAsync(Cluster cluster, CancellationToken cancellationToken)
    {
        for (var deaths = 0; ; deaths++)
        {
            var host = cluster.StartProgram("Ingestion", null, typeof(FragileHost).Assembly.Location, "serve");
            try
            {
                await host.WaitForExitAsync(TimeSpan.FromMinutes(5), cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return deaths;
            }

            await host.DisposeAsync();
        }
    }

    private static void WritePictures(string folder)
    {
        const int Side = 32;
        foreach (var (name, brightness) in new[] { ("dark", 40), ("light", 180) })
        {
            Directory.CreateDirectory(Path.Combine(folder, name));
            for (var image = 0; image < 20; image++)
            {
                var pixels = new byte[Side * Side * 3];
                new Random(image + brightness).NextBytes(pixels);
                for (var i = 0; i < pixels.Length; i++)
                {
                    pixels[i] = (byte)((pixels[i] / 4) + brightness);
                }

                File.WriteAllBytes(Path.Combine(folder, name, $"{image:D2}.png"), PngEncoder.Encode(pixels, Side, Side));
            }
        }
    }
}
