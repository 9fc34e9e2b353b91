using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

/// <summary>How every page looks: nothing from elsewhere, nothing wider than the window, nothing faint, in light and dark, on a desk and in a hand.</summary>
[Collection(DashboardTests.Name)]
public sealed class LookTests(BrowserFixture browser, DashboardServer server)
{
    /// <summary>A folder for pictures of all pages, where one is wanted.</summary>
    private static string? Pictures =>
        Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_PICTURES") is { Length: > 0 } folder ? folder : null;

    [Theory]
    [InlineData(ColorScheme.Light, 1400)]
    [InlineData(ColorScheme.Dark, 1400)]
    [InlineData(ColorScheme.Light, 390)]
    [InlineData(ColorScheme.Dark, 390)]
    public async Task Every_page_fits_its_window_can_be_read_and_asks_nobody_else(ColorScheme scheme, int width)
    {
        await using var window = await DashboardPage.OpenAsync(
            browser,
            server,
            server.OperatorKey,
            new BrowserNewContextOptions
            {
                ColorScheme = scheme,
                ViewportSize = new ViewportSize { Width = width, Height = 900 },
            }
        );
        var busy = (await server.Client.SubmitRunAsync(DashboardServer.Endless)).RunId;
        while ((await server.Client.GetMetricsAsync(busy)).Epochs.Count < 5)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken);
        }

        foreach (var (name, path) in (await server.PagesAsync()).Append(("run-busy", $"/runs/{busy:D}")))
        {
            await window.Page.GotoAsync(path);
            await window.Page.WaitForLoadStateAsync(LoadState.NetworkIdle);
            if (Pictures is { } folder)
            {
                await window.Page.ScreenshotAsync(
                    new PageScreenshotOptions
                    {
                        Path = Path.Combine(folder, $"{name}-{scheme.ToString().ToLowerInvariant()}-{width}.png"),
                        FullPage = true,
                    }
                );
            }

            if (Pictures is { } readme && (name, scheme, width) == ("run", ColorScheme.Light, 1400))
            {
                await window.Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(readme, "dashboard.png") });
            }

            Assert.True(
                await window.Page.EvaluateAsync<int>("document.documentElement.scrollWidth") <= width,
                $"{path} is wider than {width} px"
            );
            Assert.Empty(await window.Page.EvaluateAsync<string[]>($"() => {{ {PageScripts.Colours} return faint(4.5); }}"));
            Assert.Equal(1, await window.Page.Locator("main h1").CountAsync());
            Assert.Empty(
                await window.Page.EvaluateAsync<string[]>(
                    "[...document.querySelectorAll('input:not([type=hidden]), select, button, a, summary')].filter(one => !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim() || one.querySelector('title, img[alt]'))).map(one => one.outerHTML)"
                )
            );
        }

        await server.Client.CancelRunAsync(busy);
        Assert.All(window.Requests, address => Assert.StartsWith(server.Address.ToString(), address, StringComparison.Ordinal));
        // Two of the pages say that something is missing, also by their status.
        Assert.Equal(2, window.Complaints.RemoveAll(text => text.Contains("404", StringComparison.Ordinal)));
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task The_keyboard_begins_at_the_heading_and_a_link_skips_the_menu()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.GoToLiveAsync("/runs");

        await Assertions.Expect(window.Page.Locator("h1")).ToBeFocusedAsync();
        var skip = window.Page.GetByRole(AriaRole.Link, new() { Name = "Skip to content" });
        await skip.FocusAsync();
        Assert.True((await skip.BoundingBoxAsync())!.Y >= 0);
        await skip.PressAsync("Enter");
        await Assertions.Expect(window.Page.Locator("main")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task The_switch_goes_from_the_systems_colours_to_light_and_dark_and_is_remembered()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        var html = window.Page.Locator("html");
        await Assertions.Expect(html).ToHaveAttributeAsync("data-theme", "system");

        var colours = window.Page.GetByRole(AriaRole.Button, new() { Name = "Colours" });
        await colours.ClickAsync();
        await colours.ClickAsync();
        await window.Page.ReloadAsync();

        await Assertions.Expect(html).ToHaveAttributeAsync("data-theme", "dark");
    }
}
