using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

/// <summary>Saved views of the list of runs.</summary>
[Collection(DashboardTests.Name)]
public sealed class ViewTests(BrowserFixture browser, DashboardServer server)
{
    [Fact]
    public async Task What_is_filtered_is_saved_under_a_name_opened_by_it_and_deleted()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync("/runs");
        await window.Page.GetByLabel("State").SelectOptionAsync("failed");
        await window.Page.GetByLabel("Where", new() { Exact = true }).FillAsync("backbone=demo");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Filter" }).ClickAsync();
        await window.Page.WaitForURLAsync("**/runs?state=failed*");
        await window.Page.GetByLabel("And where").FillAsync("inputSize<=64");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Filter" }).ClickAsync();
        await window.Page.WaitForURLAsync("**inputSize*");

        // The address is new before what it shows has come.
        var save = window.Page.Locator("button[title*=inputSize]");
        await Assertions.Expect(save).ToBeEnabledAsync();
        await window.Page.GetByLabel("Save this view as").FillAsync("what failed");
        await save.ClickAsync();

        var view = window.Page.GetByRole(AriaRole.Link, new() { Name = "what failed" });
        await Assertions.Expect(view).ToHaveAttributeAsync("aria-current", "page");
        var saved = Assert.Single((await server.Client.GetViewsAsync()).Items, one => one.Name == "what failed");
        Assert.Equal("?state=failed&where=backbone%3Ddemo&where=inputSize%3C%3D64", saved.Query);

        await window.GoToLiveAsync("/runs");
        await view.ClickAsync();
        await window.Page.WaitForURLAsync("**/runs?state=failed*");
        await window.SeesAsync("not there");
        await Assertions.Expect(window.Page.GetByText("ten shapes")).ToHaveCountAsync(0);
        await Assertions.Expect(window.Page.GetByLabel("State")).ToHaveValueAsync("failed");

        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Delete the view what failed" }).ClickAsync();
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Delete what failed for everybody" }).ClickAsync();
        await Assertions.Expect(view).ToHaveCountAsync(0);
        Assert.DoesNotContain((await server.Client.GetViewsAsync()).Items, one => one.Name == "what failed");
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_reader_opens_views_and_saves_none()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.GoToLiveAsync("/runs?state=failed");

        await Assertions.Expect(window.Page.GetByLabel("Save this view as")).ToHaveCountAsync(0);
        await window.Page.GetByRole(AriaRole.Link, new() { Name = "best first" }).ClickAsync();

        await window.Page.WaitForURLAsync("**/runs?state=completed&sort=-accuracy");
        await Assertions
            .Expect(window.Page.GetByRole(AriaRole.Link, new() { Name = "best first" }))
            .ToHaveAttributeAsync("aria-current", "page");
        await Assertions.Expect(window.Page.GetByRole(AriaRole.Button, new() { Name = "Delete the view" })).ToHaveCountAsync(0);
    }
}
