using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

[Collection(DashboardTests.Name)]
public sealed partial class SignInTests(BrowserFixture browser, DashboardServer server)
{
    [Fact]
    public async Task Who_is_not_signed_in_signs_in_first_and_comes_to_the_page_that_was_asked_for()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, key: null);

        await window.Page.GotoAsync($"/runs/{server.RunId:D}");
        await window.Page.WaitForURLAsync(SignIn());
        await window.SignInAsync($"dstk_0123456789abcdef_{new string('0', 64)}");
        await window.SeesAsync("The key opens nothing");
        await window.SignInAsync(server.ReaderKey);

        await window.Page.WaitForURLAsync($"**/runs/{server.RunId:D}");
        await Assertions.Expect(window.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("ten shapes");
    }

    [Fact]
    public async Task Who_signs_out_is_out()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);

        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await window.Page.WaitForURLAsync("**/sign-in");
        await window.Page.GotoAsync("/models");

        await window.Page.WaitForURLAsync(SignIn());
    }

    [Fact]
    public async Task A_cookie_is_out_of_reach_of_scripts_and_good_for_looking_alone()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);

        Assert.DoesNotContain("session", await window.Page.EvaluateAsync<string>("document.cookie"), StringComparison.Ordinal);
        Assert.Equal(200, await StatusAsync(window, "GET", "/api/v1/runs"));
        Assert.Equal(401, await StatusAsync(window, "POST", "/api/v1/runs"));
        Assert.Equal(401, await StatusAsync(window, "DELETE", $"/api/v1/runs/{server.RunId:D}"));
    }

    [Fact]
    public async Task A_reader_sees_what_there_is_and_can_change_nothing()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);

        await window.Page.GotoAsync("/audit");
        await window.SeesAsync("Your key does not open this");
        await window.GoToLiveAsync("/runs/new");
        await window.SeesAsync("You may look, and not submit");
        await Assertions.Expect(window.Page.GetByRole(AriaRole.Button, new() { Name = "Submit" })).ToBeDisabledAsync();
        await window.GoToLiveAsync($"/models/{DashboardServer.Model}");
        await window.SeesAsync("Predictions take an operator's or a predictor's key.");
        Assert.Equal(0, await window.Page.GetByRole(AriaRole.Button, new() { Name = "Promote" }).CountAsync());
    }

    /// <summary>The page to sign in, which knows where to go then.</summary>
    [GeneratedRegex("/sign-in\\?returnUrl=", RegexOptions.None, 1000)]
    private static partial Regex SignIn();

    private static Task<int> StatusAsync(DashboardPage window, string method, string path) =>
        window.Page.EvaluateAsync<int>(
            "([method, path]) => fetch(path, { method, headers: { 'Content-Type': 'application/json' }, body: method === 'POST' ? '{}' : undefined }).then(answer => answer.status)",
            new[] { method, path }
        );
}
