using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

/// <summary>How much travels for a page that is opened for the first time.</summary>
[Collection(DashboardTests.Name)]
public sealed class WeightTests(BrowserFixture browser, DashboardServer server)
{
    /// <summary>Bytes, compressed, with styles and scripts; pictures of data sets come later, as one scrolls to them.</summary>
    private const int Most = 300_000;

    [Fact]
    public async Task Every_page_is_light()
    {
        var weights = new List<(string Path, int Bytes)>();
        foreach (var (_, path) in await server.PagesAsync())
        {
            // A window of its own, so that nothing is there already.
            await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
            var session = await window.Page.Context.NewCDPSessionAsync(window.Page);
            await session.SendAsync("Network.setCacheDisabled", new() { ["cacheDisabled"] = true });
            await window.Page.GotoAsync(path);
            await window.Page.WaitForLoadStateAsync(LoadState.Load);
            weights.Add(
                (
                    path,
                    await window.Page.EvaluateAsync<int>(
                        "() => performance.getEntries().filter(one => one.entryType === 'navigation' || ['link', 'script', 'css'].includes(one.initiatorType)).reduce((sum, one) => sum + one.transferSize, 0)"
                    )
                )
            );
        }

        var heaviest = weights.MaxBy(one => one.Bytes);
        TestContext.Current.SendDiagnosticMessage($"The heaviest page is {heaviest.Path}, {heaviest.Bytes} bytes.");
        Assert.All(weights, one => Assert.InRange(one.Bytes, 10_000, Most));
    }
}
