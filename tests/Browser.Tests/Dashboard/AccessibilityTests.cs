using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

[Collection(DashboardTests.Name)]
public sealed class AccessibilityTests(BrowserFixture browser, DashboardServer server)
{
    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Axe_finds_no_serious_fault_on_any_page(ColorScheme scheme)
    {
        var axe = await AxeScript.ReadAsync();
        await using var window = await DashboardPage.OpenAsync(
            browser,
            server,
            server.OperatorKey,
            new BrowserNewContextOptions { ColorScheme = scheme }
        );
        var faults = new List<string>();
        foreach (var (_, path) in await server.PagesAsync())
        {
            await window.Page.GotoAsync(path);
            await window.Page.WaitForLoadStateAsync(LoadState.NetworkIdle);
            await window.Page.EvaluateAsync(axe);
            faults.AddRange(
                (
                    await window.Page.EvaluateAsync<string[]>(
                        "() => axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' ')}`))"
                    )
                ).Select(fault => $"{path}: {fault}")
            );
        }

        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }
}
