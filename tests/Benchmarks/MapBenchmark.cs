using System.Diagnostics;
using System.Text.Json;
using Distributed.TestServers;
using Microsoft.Playwright;

namespace Distributed.Benchmarks;

/// <summary>
/// The page of a map of features in Chromium without a graphics processor, with 100,000 generated points in place of the run's own: frames a second that
/// the map draws while a mouse moves it, and the resident memory of the page's process with its JavaScript heap beside it.
/// </summary>
internal sealed class MapBenchmark : IBenchmark
{
    private const int Points = 100_000,
        Rounds = 5;

    private static readonly TimeSpan Round = TimeSpan.FromSeconds(3);
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public string Name => "map-100000";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        await using var server = await SampleServer.StartAsync(
            new
            {
                inputSize = 32,
                precision = "fp32",
                report = false,
            },
            cancellationToken: cancellationToken
        );
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions { ExecutablePath = TestEnvironment.ChromiumPath, Args = ["--no-sandbox", "--disable-gpu"] }
        );
        var page = await browser.NewPageAsync(
            new BrowserNewPageOptions
            {
                BaseURL = server.Api.BaseAddress!.ToString(),
                ViewportSize = new ViewportSize { Width = 1400, Height = 900 },
            }
        );
        page.SetDefaultTimeout(60_000);
        // What the map paints is counted, and nothing else: a frame in which nothing moves is none.
        await page.AddInitScriptAsync(
            "const put = CanvasRenderingContext2D.prototype.putImageData; window.drawn = 0; CanvasRenderingContext2D.prototype.putImageData = function (...given) { window.drawn++; return put.apply(this, given); };"
        );
        var map = Draw();
        await page.RouteAsync(
            "**/api/v1/runs/*/map",
            route => route.FulfillAsync(new RouteFulfillOptions { ContentType = "application/json", Body = map })
        );
        await page.GotoAsync($"/runs/{server.RunId:D}/map");
        await page.GetByText("100,000 of 100,000 images in view").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Move", Exact = true }).ClickAsync();
        var canvas = (await page.Locator("canvas").BoundingBoxAsync())!;
        var (x, y) = (canvas.X + (canvas.Width / 2), canvas.Y + (canvas.Height / 2));

        await page.Mouse.MoveAsync(x, y);
        await page.Mouse.DownAsync();
        var moved = await CountAsync(
            page,
            step => page.Mouse.MoveAsync(x + (float)(200 * Math.Sin(step / 20.0)), y + (float)(100 * Math.Cos(step / 15.0))),
            cancellationToken
        );
        await page.Mouse.UpAsync();
        return
        [
            Figure.Of(Name, "frames/s", moved, peer: null),
            Figure.Of(
                Name,
                "MB",
                new Measurement("", [await ResidentAsync(browser)]),
                new Measurement("JavaScript heap alone", [await HeapAsync(page)]),
                lessIsBetter: true
            ),
        ];
    }

    private static async Task<Measurement> CountAsync(IPage page, Func<int, Task> act, CancellationToken cancellationToken)
    {
        var (rates, step) = (new List<double>(), 0);
        for (var round = 0; round < Rounds; round++)
        {
            var before = await page.EvaluateAsync<int>("window.drawn");
            var started = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(started) < Round)
            {
                cancellationToken.ThrowIfCancellationRequested();
                await act(step++);
            }

            var drawn = await page.EvaluateAsync<int>("window.drawn") - before;
            rates.Add(drawn / Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return new Measurement("", rates);
    }

    private static async Task<double> ResidentAsync(IBrowser browser)
    {
        var session = await browser.NewBrowserCDPSessionAsync();
        var processes = (await session.SendAsync("SystemInfo.getProcessInfo"))!.Value.GetProperty("processInfo");
        return processes
            .EnumerateArray()
            .Where(process => process.GetProperty("type").GetString() == "renderer")
            .Max(renderer =>
            {
                using var process = Process.GetProcessById(renderer.GetProperty("id").GetInt32());
                return process.WorkingSet64 / 1e6;
            });
    }

    private static async Task<double> HeapAsync(IPage page)
    {
        var session = await page.Context.NewCDPSessionAsync(page);
        await session.SendAsync("Performance.enable");
        return (await session.SendAsync("Performance.getMetrics"))!
                .Value.GetProperty("metrics")
                .EnumerateArray()
                .Single(metric => metric.GetProperty("name").GetString() == "JSHeapUsedSize")
                .GetProperty("value")
                .GetDouble() / 1e6;
    }

    /// <summary>Ten clouds of points, as the API gives a map.</summary>
    private static string Draw()
    {
        var random = new Random(0);
        var labels = Enumerable.Range(0, Points).Select(point => point % 10).ToList();
        return JsonSerializer.Serialize(
            new
            {
                images = Points,
                classNames = Enumerable.Range(0, 10).Select(label => $"class {label}"),
                splitNames = new[] { "train", "validation", "test", "removed", "unassigned" },
                rows = (int[]?)null,
                x = labels.Select(label => Place((label * 6_551) + 3_000)),
                y = labels.Select(label => Place((label * 26_204 % 65_536) + 3_000)),
                labels,
                splits = labels.Select(_ => random.Next(3)),
                tested = labels.Select(_ => random.Next(3)),
            },
            Json
        );

        // The sum of four even draws is nearly normal.
        int Place(int centre) => Math.Clamp(centre + Enumerable.Range(0, 4).Sum(_ => random.Next(-4_000, 4_000)), 0, 65_535);
    }
}
