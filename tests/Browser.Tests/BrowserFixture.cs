using Distributed.Browser.Tests.Dashboard;
using Distributed.Evaluation.Reporting;
using Distributed.TestServers;
using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Distributed.Browser.Tests.BrowserFixture))]

namespace Distributed.Browser.Tests;

/// <summary>One browser for all tests, and a folder for the reports that it opens.</summary>
public sealed class BrowserFixture : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-report-");
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private int _opened;

    public async ValueTask InitializeAsync()
    {
        var program = TestEnvironment.ChromiumPath;
        _playwright = await Playwright.CreateAsync();
        // As long as any other waiting: a machine that is busy is no fault of a page.
        Assertions.SetDefaultExpectTimeout(DashboardPage.Patience);
        _browser = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions
            {
                ExecutablePath = program,
                Args =
                [
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                ],
            }
        );
    }

    /// <summary>Opens a report from a file, in a window of its own.</summary>
    internal async Task<ReportPage> OpenAsync(ReportModel model, BrowserNewContextOptions? options = null)
    {
        var path = Path.Combine(_folder.FullName, $"report-{Interlocked.Increment(ref _opened)}.html");
        await File.WriteAllBytesAsync(path, await SampleReports.RenderAsync(model), TestContext.Current.CancellationToken);
        var context = await _browser!.NewContextAsync(options ?? new BrowserNewContextOptions());
        return await ReportPage.OpenAsync(context, new Uri(path).AbsoluteUri);
    }

    /// <summary>A window of its own, with cookies of its own.</summary>
    internal Task<IBrowserContext> NewContextAsync(BrowserNewContextOptions? options = null) =>
        _browser!.NewContextAsync(options ?? new BrowserNewContextOptions());

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
        _folder.Delete(recursive: true);
    }
}

/// <summary>An open report and everything that it did.</summary>
internal sealed class ReportPage : IAsyncDisposable
{
    private readonly IBrowserContext _context;

    private ReportPage(IBrowserContext context, IPage page, string address)
    {
        _context = context;
        Page = page;
        Address = address;
        page.Request += (_, request) => Requests.Add(request.Url);
        page.Console += (_, message) => Messages.Add($"{message.Type}: {message.Text}");
        page.PageError += (_, error) => Messages.Add($"error: {error}");
        page.Dialog += (_, dialog) =>
        {
            Messages.Add($"dialog: {dialog.Message}");
            _ = dialog.DismissAsync();
        };
    }

    public IPage Page { get; }

    public string Address { get; }

    /// <summary>Addresses that were asked for.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>What the console, the page's errors and dialogs said.</summary>
    public List<string> Messages { get; } = [];

    public static async Task<ReportPage> OpenAsync(IBrowserContext context, string address)
    {
        var opened = new ReportPage(context, await context.NewPageAsync(), address);
        await opened.Page.GotoAsync(address);
        return opened;
    }

    /// <summary>Opens every part that is folded.</summary>
    public Task UnfoldAsync() => Page.EvaluateAsync("document.querySelectorAll('details').forEach(part => part.open = true)");

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();
}
