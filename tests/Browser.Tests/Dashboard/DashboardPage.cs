using Microsoft.Playwright;

namespace Distributed.Browser.Tests.Dashboard;

/// <summary>A window on the dashboard, and everything that it did.</summary>
internal sealed class DashboardPage : IAsyncDisposable
{
    /// <summary>On a machine that computes, pages and runs take their time.</summary>
    /// <summary>How long anything is waited for, in milliseconds.</summary>
    public const float Patience = 60_000;

    private readonly IBrowserContext _context;

    private DashboardPage(IBrowserContext context, IPage page)
    {
        (_context, Page) = (context, page);
        page.SetDefaultTimeout(Patience);
        page.Request += (_, request) => Requests.Add(request.Url);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                Complaints.Add($"{message.Type}: {message.Text}");
            }
        };
        page.PageError += (_, error) => Complaints.Add($"error: {error}");
    }

    public IPage Page { get; }

    /// <summary>Addresses that were asked for.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>Errors and warnings of the console.</summary>
    public List<string> Complaints { get; } = [];

    /// <summary>Opens a window and signs in with a key; without one nobody is signed in.</summary>
    public static async Task<DashboardPage> OpenAsync(
        BrowserFixture browser,
        DashboardServer server,
        string? key,
        BrowserNewContextOptions? options = null
    )
    {
        options ??= new BrowserNewContextOptions();
        options.BaseURL = server.Address.ToString();
        var context = await browser.NewContextAsync(options);
        var opened = new DashboardPage(context, await context.NewPageAsync());
        if (key is not null)
        {
            await opened.Page.GotoAsync("/sign-in");
            await opened.SignInAsync(key);
            await opened.Page.WaitForURLAsync("**/runs");
        }

        return opened;
    }

    public async Task SignInAsync(string key)
    {
        await Page.GetByLabel("API key").FillAsync(key);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
    }

    /// <summary>Opens a page and waits until it answers to what one does there.</summary>
    public async Task GoToLiveAsync(string path)
    {
        // What is asked of a page before its connection stands is lost.
        var connected = Page.WaitForWebSocketAsync();
        await Page.GotoAsync(path);
        var socket = await connected;
        await Page.WaitForFunctionAsync("() => !document.querySelector('[data-live=false]')");
        Assert.False(socket.IsClosed);
    }

    /// <summary>Waits until a text is on the page.</summary>
    public Task SeesAsync(string text) => Assertions.Expect(Page.GetByText(text).First).ToBeVisibleAsync(new() { Timeout = Patience });

    /// <summary>Waits until the run on the page is in a state.</summary>
    public Task IsAsync(string state) =>
        Assertions.Expect(Page.Locator(".head .badge")).ToHaveTextAsync(state, new() { Timeout = Patience });

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();
}
