using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

[Collection(DashboardTests.Name)]
public sealed class ModelTests(BrowserFixture browser, DashboardServer server)
{
    [Fact]
    public async Task A_version_is_promoted_and_answers_for_a_picture_that_is_dropped()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync($"/models/{DashboardServer.Model}");

        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Promote" }).ClickAsync();
        await window.SeesAsync("champion points to version 1.");
        Assert.Equal(1, Assert.Single((await server.Client.GetModelAsync(DashboardServer.Model)).Aliases).Version);

        await window
            .Page.Locator("input[type=file]")
            .SetInputFilesAsync(
                new FilePayload
                {
                    Name = "drawn.png",
                    MimeType = "image/png",
                    Buffer = TinyPng.Draw(3, 64),
                }
            );
        await window.SeesAsync("Training images most like it");
        Assert.Equal(6, await window.Page.Locator(".nearest li").CountAsync());
        Assert.True(await window.Page.Locator(".answer .counts li").CountAsync() >= 2);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task What_is_no_picture_is_refused_with_the_reason()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync($"/models/{DashboardServer.Model}");

        await window
            .Page.Locator("input[type=file]")
            .SetInputFilesAsync(
                new FilePayload
                {
                    Name = "text.png",
                    MimeType = "image/png",
                    Buffer = "no picture"u8.ToArray(),
                }
            );

        await Assertions.Expect(window.Page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
    }
}
