using System.Globalization;
using Distributed.Client;
using Distributed.Dashboard.Maps;
using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

[Collection(DashboardTests.Name)]
public sealed class MapTests(BrowserFixture browser, DashboardServer server)
{
    private const string InView = "images in view";

    private string Path => $"/runs/{server.RunId:D}/map";

    [Fact]
    public async Task A_region_of_the_map_is_drawn_and_its_images_are_shown()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.Page.GotoAsync(Path);
        await window.SeesAsync(InView);
        var canvas = (await window.Page.Locator("canvas").BoundingBoxAsync())!;

        await window.Page.Mouse.MoveAsync(canvas.X + 2, canvas.Y + 2);
        await window.Page.Mouse.DownAsync();
        await window.Page.Mouse.MoveAsync(canvas.X + (canvas.Width / 2), canvas.Y + canvas.Height - 2);
        await window.Page.Mouse.UpAsync();

        await window.SeesAsync("chosen");
        await AssertShowsAsync(window, await ChosenAsync(window));
        await Assertions.Expect(window.Page.Locator(".region")).ToBeVisibleAsync();
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task The_keyboard_moves_the_map_and_chooses_what_is_in_view()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.Page.GotoAsync(Path);
        var all = (await MapAsync()).X.Count;
        await window.SeesAsync($"{all} of {all} {InView}");
        var canvas = window.Page.Locator("canvas");

        for (var press = 0; press < 4; press++)
        {
            await canvas.PressAsync("ArrowLeft");
        }

        await Assertions.Expect(window.Page.GetByText($"{all} of {all} {InView}")).Not.ToBeVisibleAsync();
        await canvas.PressAsync("Enter");
        await window.SeesAsync("chosen");
        var some = await ChosenAsync(window);
        await AssertShowsAsync(window, some);
        await Assertions.Expect(canvas).ToBeFocusedAsync();
        Assert.InRange(some.Count, 1, all - 1);

        await canvas.PressAsync("0");
        await canvas.PressAsync("Enter");
        await window.SeesAsync($"{all} images chosen");
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task The_picture_under_the_pointer_is_shown()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.Page.GotoAsync(Path + "?by=mistake");
        await window.SeesAsync(InView);
        var map = await MapAsync();
        var canvas = window.Page.Locator("canvas");
        var box = (await canvas.BoundingBoxAsync())!;
        var (width, height) = (map.X.Max(), map.Y.Max());
        var scale = 0.92 * Math.Min(box.Width / width, box.Height / height);
        // The leftmost point: no other is as near to where the pointer goes.
        var point = map.X.ToList().IndexOf(0);

        await canvas.HoverAsync(
            new LocatorHoverOptions
            {
                Position = new Position
                {
                    X = (float)((box.Width / 2) - (width / 2.0 * scale)),
                    Y = (float)((box.Height / 2) + ((map.Y[point] - (height / 2.0)) * scale)),
                },
            }
        );

        var picture = window.Page.Locator("feature-map figure img");
        await Assertions.Expect(picture).ToBeVisibleAsync();
        var dataset = (await server.Client.GetRunAsync(server.RunId)).DatasetSha256!;
        var image = Assert.Single(await server.Client.GetImagesAsync(dataset, [point], server.RunId));
        await Assertions.Expect(picture).ToHaveAttributeAsync("alt", image.Name);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_run_without_features_says_that_there_is_no_map_yet()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);

        await window.Page.GotoAsync($"/runs/{server.FailedRunId:D}/map");

        await window.SeesAsync("There is no map yet");
    }

    private async Task<RunMap> MapAsync()
    {
        RunMap? map;
        while ((map = await server.Client.GetMapAsync(server.RunId, TestContext.Current.CancellationToken)) is null)
        {
            // Each request waits for it.
        }

        return map;
    }

    /// <summary>The points of the region that the page's form has.</summary>
    private async Task<IReadOnlyList<int>> ChosenAsync(DashboardPage window)
    {
        var edges = new List<int>();
        foreach (var name in new[] { "left", "top", "right", "bottom" })
        {
            var text = await window.Page.Locator($"input[name={name}]").InputValueAsync();
            edges.Add(int.Parse(text, CultureInfo.InvariantCulture));
        }

        return new MapRegion(edges[0], edges[1], edges[2], edges[3]).PointsOf(await MapAsync());
    }

    private static async Task AssertShowsAsync(DashboardPage window, IReadOnlyList<int> points)
    {
        Assert.NotEmpty(points);
        await Assertions.Expect(window.Page.Locator("#chosen")).ToHaveTextAsync($"{points.Count} images chosen");
        var widths = await window
            .Page.Locator(".picture img")
            .EvaluateAllAsync<int[]>(
                "all => Promise.all(all.map(async one => { one.loading = 'eager'; await one.decode(); return one.naturalWidth; }))"
            );
        Assert.Equal(Math.Min(60, points.Count), widths.Length);
        Assert.All(widths, width => Assert.True(width > 0));
    }
}
