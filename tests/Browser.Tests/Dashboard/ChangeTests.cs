using System.Net;
using Distributed.Catalog;
using Distributed.Client;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

/// <summary>What operators change, and readers do not.</summary>
[Collection(DashboardTests.Name)]
public sealed class ChangeTests(BrowserFixture browser, DashboardServer server)
{
    [Fact]
    public async Task Tags_and_note_are_edited_in_place_and_who_is_second_sees_what_the_other_one_wrote()
    {
        var run = await SubmitAndCancelAsync("to be called");
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync($"/runs/{run:D}");

        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Name, tags and note" }).ClickAsync();
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Remove the tag old" }).ClickAsync();
        await window.Page.Locator("#new-tag").FillAsync("for, the shop");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Add tag" }).ClickAsync();
        await window.Page.Locator(".labels textarea").FillAsync("Mind the light.\nTaken at noon.");
        await server.Client.ChangeRunAsync(run, new RunLabels("to be called", ["old", "theirs"], Note: null), revision: 0);
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();

        await window.SeesAsync("Somebody changed it meanwhile");
        await window.SeesAsync("its tags are old, theirs");
        Assert.Equal(["old", "theirs"], (await server.Client.GetRunAsync(run)).Summary.Tags);
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();

        await Assertions.Expect(window.Page.GetByRole(AriaRole.Link, new() { Name = "for, the shop" })).ToBeVisibleAsync();
        await window.SeesAsync("Taken at noon.");
        var saved = await server.Client.GetRunAsync(run);
        Assert.Equal(["for, the shop"], saved.Summary.Tags);
        Assert.Equal("Mind the light.\nTaken at noon.", saved.Summary.Note);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_dead_letter_is_requeued_and_its_run_is_tried_again()
    {
        var run = await server.Client.SubmitRunAsync(DashboardServer.Small with { Name = "given up", Dataset = "/nowhere/near" });
        Assert.Equal(RunState.Failed, (await server.Client.WaitForRunAsync(run.RunId)).State);
        await server.ChangeCatalogAsync(context => GiveUpAsync(context, run.RunId));
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync("/queues");

        var row = window.Page.GetByRole(AriaRole.Row).Filter(new() { HasText = "no luck" });
        await row.GetByRole(AriaRole.Button, new() { Name = "Requeue" }).ClickAsync();

        await Assertions.Expect(row).ToContainTextAsync("by ada");
        Assert.Equal(
            "ada",
            Assert.Single((await server.Client.GetDeadLettersAsync()).Items, letter => letter.RunId == run.RunId).RequeuedBy
        );
        await server.Client.WaitForRunAsync(run.RunId);
        await window.GoToLiveAsync($"/runs/{run.RunId:D}");
        await window.SeesAsync("Failed jobs");
        await Assertions
            .Expect(window.Page.GetByRole(AriaRole.Row).Filter(new() { HasText = "IngestDataset" }).Locator(".line"))
            .ToHaveCountAsync(2);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_reader_is_shown_no_way_to_change_anything_and_the_api_refuses_it()
    {
        var run = await SubmitAndCancelAsync("not theirs");
        await using var window = await DashboardPage.OpenAsync(browser, server, server.ReaderKey);

        await window.GoToLiveAsync($"/runs/{run:D}");
        await Assertions.Expect(window.Page.GetByRole(AriaRole.Button, new() { Name = "Retry" })).ToBeDisabledAsync();
        foreach (var name in (string[])["Name, tags and note", "Register as a version"])
        {
            await Assertions.Expect(window.Page.GetByRole(AriaRole.Button, new() { Name = name })).ToHaveCountAsync(0);
        }

        await window.GoToLiveAsync("/settings");
        foreach (var name in (string[])["Revoke", "Add webhook", "See what would go"])
        {
            await Assertions.Expect(window.Page.GetByRole(AriaRole.Button, new() { Name = name })).ToHaveCountAsync(0);
        }

        using var reader = new DistributedClient(server.Address, server.ReaderKey);
        Func<Task>[] changes =
        [
            () => reader.RetryRunAsync(run),
            () => reader.ChangeRunAsync(run, new RunLabels("mine", [], Note: null), revision: 0),
            () => reader.DeleteRunAsync(run),
            () => reader.SaveViewAsync("mine", "?state=failed"),
            () => reader.GetKeysAsync(),
            () => reader.GetWebhooksAsync(),
        ];
        foreach (var change in changes)
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await Assert.ThrowsAsync<ApiException>(change)).Status);
        }

        Assert.Equal("not theirs", (await server.Client.GetRunAsync(run)).Summary.Name);
    }

    [Fact]
    public async Task A_key_is_revoked_and_a_webhook_added_and_removed()
    {
        await server.CreateKeyAsync("len", "reader");
        await using var window = await DashboardPage.OpenAsync(browser, server, server.OperatorKey);
        await window.GoToLiveAsync("/settings");
        var keys = window.Page.Locator("[aria-labelledby=keys] tr");

        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Revoke the key len" }).ClickAsync();
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Revoke len" }).ClickAsync();
        await Assertions.Expect(keys.Filter(new() { HasText = "len" })).ToContainTextAsync("revoked");
        Assert.NotNull(Assert.Single(await server.Client.GetKeysAsync(), key => key.Name == "len").RevokedAt);
        await Assertions.Expect(keys.Filter(new() { HasText = "ada" })).ToContainTextAsync("yours");

        await window.Page.GetByLabel("Address").FillAsync("https://hooks.example/other");
        await window.Page.GetByLabel("moved aliases").UncheckAsync();
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Add webhook" }).ClickAsync();
        await window.SeesAsync("whsec_");
        var added = Assert.Single(await server.Client.GetWebhooksAsync(), one => one.Url == "https://hooks.example/other");
        Assert.Equal(["completed", "failed"], added.Events.Order(StringComparer.Ordinal));

        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Remove the webhook https://hooks.example/other" }).ClickAsync();
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Remove it, and" }).ClickAsync();
        await Assertions.Expect(window.Page.GetByText("https://hooks.example/other")).ToHaveCountAsync(0);
        Assert.DoesNotContain(await server.Client.GetWebhooksAsync(), one => one.Id == added.Id);
        Assert.Empty(window.Complaints);
    }

    private async Task<Guid> SubmitAndCancelAsync(string name)
    {
        var run = await server.Client.SubmitRunAsync(DashboardServer.Endless with { Name = name, Tags = ["old"] });
        Assert.Equal(RunState.Cancelled, (await server.Client.CancelRunAsync(run.RunId)).Summary.State);
        return run.RunId;
    }

    /// <summary>As if its job had been begun too often without progress.</summary>
    private static async Task GiveUpAsync(CatalogContext context, Guid runId)
    {
        await context
            .Runs.Where(row => row.Id == runId)
            .ExecuteUpdateAsync(row => row.SetProperty(run => run.FailureCause, FailureCause.Attempts));
        context.DeadLetters.Add(
            new DeadLetter
            {
                Id = Guid.CreateVersion7(),
                At = DateTime.UtcNow,
                Reason = "It was begun 5 times without progress: no luck.",
                JobKind = nameof(IngestDataset),
                JobScope = $"{runId:D}",
                JobStep = 0,
            }
        );
        await context.SaveChangesAsync();
    }
}
