using Distributed.Client;
using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

[Collection(DashboardTests.Name)]
public sealed class PictureTests(BrowserFixture browser, DashboardServer server)
{
    [Fact]
    public async Task A_cell_of_the_confusion_matrix_opens_its_images()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.GoToLiveAsync($"/runs/{server.RunId:D}");

        var cell = window.Page.Locator(".matrix td.right a").First;
        var count = await cell.InnerTextAsync();
        await cell.ClickAsync();

        await window.SeesAsync(", recognised");
        Assert.Equal(count, $"{await window.Page.Locator(".picture img").CountAsync()}");
        await AssertDecodedAsync(window);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task Two_runs_are_chosen_and_compared_image_by_image()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.GoToLiveAsync("/runs?where=state%3Dcompleted");

        await window.Page.GetByLabel("Compare ten shapes").CheckAsync();
        await window.Page.GetByLabel("Compare by few").CheckAsync();
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Compare those chosen" }).ClickAsync();

        await window.SeesAsync("by McNemar's exact test");
        await Assertions.Expect(window.Page.GetByRole(AriaRole.Rowheader, new() { Name = "training.epochs" })).ToBeVisibleAsync();
        var lines = window.Page.Locator(".parallel a");
        Assert.Equal(
            ["ten shapes", "by few"],
            (await lines.Locator("title").AllTextContentsAsync()).Select(title => title.Split(':')[0]).Reverse()
        );
        Assert.Equal($"runs/{server.RunId:D}", await lines.Last.GetAttributeAsync("href"));
        await AssertDecodedAsync(window);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task Runs_are_sorted_by_a_click_on_a_column()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.GoToLiveAsync("/runs?where=state%3Dcompleted");

        await window.Page.GetByRole(AriaRole.Link, new() { Name = "Accuracy" }).ClickAsync();

        await Assertions
            .Expect(window.Page.GetByRole(AriaRole.Columnheader, new() { Name = "Accuracy" }))
            .ToHaveAttributeAsync("aria-sort", "descending");
        var best = (
            await server.Client.GetRunsAsync(
                new RunListFilter
                {
                    Where = ["state=completed"],
                    Sort = "-accuracy",
                    Limit = 1,
                }
            )
        ).Items[0];
        await Assertions.Expect(window.Page.Locator("tbody tr .title").First).ToHaveTextAsync(best.Name!);
    }

    private static async Task AssertDecodedAsync(DashboardPage window)
    {
        var pictures = window.Page.Locator("main img");
        Assert.True(await pictures.CountAsync() > 0);
        Assert.All(
            await pictures.EvaluateAllAsync<int[]>(
                "all => Promise.all(all.map(async one => { one.loading = 'eager'; await one.decode(); return one.naturalWidth; }))"
            ),
            width => Assert.True(width > 0)
        );
    }
}
