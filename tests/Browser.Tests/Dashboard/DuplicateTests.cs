using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

[Collection(DashboardTests.Name)]
public sealed class DuplicateTests(BrowserFixture browser, DashboardServer server)
{
    private string Address => $"/datasets/{server.DatasetWithCopies}";

    [Fact]
    public async Task Copies_and_leaks_are_on_the_page_of_their_data_set_as_pairs_of_pictures()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.Page.GotoAsync(Address);

        await window.SeesAsync("One image occurs more than once, bit for bit.");
        var copy = window.Page.Locator(".copies").First.Locator("li");
        await Assertions.Expect(copy).ToContainTextAsync("2 times, in different splits, in different classes");
        Assert.Equal(2, await copy.Locator("img").CountAsync());
        var run = (await server.Client.GetRunsAsync(new() { Name = "with copies" })).Items[0].RunId;
        var near = await server.Client.GetNearDuplicatesAsync(run);
        Assert.NotEmpty(near.Items);
        var pairs = window.Page.Locator(".copies").Nth(1).Locator("li");
        await Assertions.Expect(pairs).ToHaveCountAsync(Math.Min(6, near.Total));
        await Assertions.Expect(pairs.First.Locator("p")).ToHaveTextAsync("100.0 % alike in their pixels");
        Assert.Empty(window.Complaints);
    }

    [Theory]
    [InlineData("copies in different classes", "1 image")]
    [InlineData("near duplicates across the splits", "pair")]
    public async Task Which_of_them_are_shown_is_chosen(string which, string found)
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.Page.GotoAsync($"{Address}/duplicates");

        await window.Page.GetByLabel("Which").SelectOptionAsync(new SelectOptionValue { Label = which });
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Show" }).ClickAsync();

        await window.SeesAsync(found);
        await Assertions.Expect(window.Page.Locator(".copies li").First.Locator("img")).ToHaveCountAsync(2);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_data_set_without_copies_says_so()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        var dataset = (await server.Client.GetRunAsync(server.RunId)).DatasetSha256;
        await window.Page.GotoAsync($"/datasets/{dataset}");
        await window.SeesAsync("No image occurs twice.");

        await window.Page.GotoAsync($"/datasets/{dataset}/duplicates?which=splits");

        await window.SeesAsync("None is like that");
    }
}
