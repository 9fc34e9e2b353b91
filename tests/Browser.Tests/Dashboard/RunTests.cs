using Distributed.Contracts;
using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

[Collection(DashboardTests.Name)]
public sealed class RunTests(BrowserFixture browser, DashboardServer server)
{
    [Fact]
    public async Task A_run_is_submitted_from_the_form_and_watched_to_its_end_without_loading_the_page_again()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync("/runs/new");

        await window.Page.Locator("#setting-inputSize").FillAsync("7");
        await window.SeesAsync("It is 7; it must be a whole number from 32 to 1024.");
        await Assertions.Expect(window.Page.GetByRole(AriaRole.Button, new() { Name = "Submit" })).ToBeDisabledAsync();
        await window.Page.Locator("#setting-inputSize").FillAsync("32");
        await window.Page.Locator("#setting-precision").SelectOptionAsync("fp32");
        await window.Page.Locator("#setting-name").FillAsync("from the form");
        await window.SeesAsync("This can be submitted.");
        await Assertions.Expect(window.Page.Locator(".request pre")).ToContainTextAsync("\"inputSize\": 32");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "C#" }).ClickAsync();
        await Assertions.Expect(window.Page.Locator(".request pre")).ToContainTextAsync("Precision = Precision.Fp32");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Submit" }).ClickAsync();

        await window.Page.WaitForURLAsync("**/runs/*-*");
        await Assertions.Expect(window.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("from the form");
        await window.Page.EvaluateAsync("window.isTheSamePage = true");
        await window.IsAsync("completed");
        await window.SeesAsync("Confusion matrix");
        Assert.True(await window.Page.EvaluateAsync<bool>("window.isTheSamePage === true"));
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_run_is_cancelled_and_retried()
    {
        var run = await server.Client.SubmitRunAsync(DashboardServer.Endless);
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync($"/runs/{run.RunId:D}");

        await window.IsAsync("training");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await window.IsAsync("cancelled");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Retry" }).ClickAsync();
        await window.IsAsync("training");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await window.IsAsync("cancelled");

        Assert.Equal(RunState.Cancelled, (await server.Client.GetRunAsync(run.RunId)).Summary.State);
    }

    [Fact]
    public async Task The_list_shows_a_run_that_somebody_else_submits_as_it_goes_on()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);
        await window.GoToLiveAsync("/runs?name=somebody");
        await window.SeesAsync("No run is like that");

        var run = await server.Client.SubmitRunAsync(DashboardServer.Small with { Name = "somebody else's" });

        await window.SeesAsync("somebody else's");
        await Assertions.Expect(window.Page.Locator("td .badge")).ToHaveTextAsync("completed", new() { Timeout = 60_000 });
        Assert.Equal(RunState.Completed, (await server.Client.GetRunAsync(run.RunId)).Summary.State);
    }

    [Fact]
    public async Task A_failed_run_says_why_and_is_repeated_with_changes()
    {
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync($"/runs/{server.FailedRunId:D}");

        await window.SeesAsync("The run failed");
        await window.Page.GetByRole(AriaRole.Link, new() { Name = "Repeat with changes" }).ClickAsync();
        await window.Page.WaitForURLAsync("**/runs/new?from=*");

        await Assertions.Expect(window.Page.Locator("#setting-dataset")).ToHaveValueAsync("/nowhere/at/all");
        await Assertions.Expect(window.Page.Locator("#setting-inputSize")).ToHaveValueAsync("32");
    }
}
