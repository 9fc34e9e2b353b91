using Distributed.Evaluation.Reporting;
using Microsoft.Playwright;

namespace Distributed.Browser.Tests;

public sealed class ReportInBrowserTests(BrowserFixture browser)
{
    [Fact]
    public async Task The_headline_says_accuracy_interval_base_and_test_images()
    {
        await using var report = await browser.OpenAsync(SampleReports.Create());

        Assert.Equal("84.5\u00A0%", await report.Page.Locator("#accuracy").TextContentAsync());
        Assert.Equal("95\u00A0% interval: 82.1 to 86.6\u00A0%", await report.Page.Locator("#interval").TextContentAsync());
        var result = await report.Page.Locator(".result").InnerTextAsync();
        Assert.Contains("845 of 1,000 test images right", result, StringComparison.Ordinal);
        Assert.Contains("demo weights trained on CIFAR-10", result, StringComparison.Ordinal);
        Assert.Equal("Ten kinds, linear head · 84.5\u00A0%", await report.Page.TitleAsync());
    }

    [Theory]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(30)]
    public async Task The_matrix_has_a_cell_for_every_pair_of_classes_and_counts_every_image(int classes)
    {
        await using var report = await browser.OpenAsync(SampleReports.Create(classes));

        var cells = await report.Page.Locator("#matrix tbody td").AllTextContentsAsync();
        Assert.Equal(classes * classes, cells.Count);
        Assert.Equal(classes * 100, cells.Sum(int.Parse));
        Assert.Equal(classes, await report.Page.Locator("#matrix td.right").CountAsync());
    }

    [Fact]
    public async Task Every_picture_decodes()
    {
        await using var report = await browser.OpenAsync(SampleReports.Create());

        var widths = await report
            .Page.Locator("img.picture")
            .EvaluateAllAsync<int[]>(
                "all => Promise.all(all.map(async picture => { await picture.decode(); return picture.naturalWidth; }))"
            );
        Assert.Equal(32, widths.Length);
        Assert.All(widths, width => Assert.Equal(48, width));
    }

    [Fact]
    public async Task Nothing_is_asked_for_but_the_file_and_nothing_is_complained_about()
    {
        await using var report = await browser.OpenAsync(SampleReports.Create());
        await report.UnfoldAsync();
        await report.Page.EvaluateAsync("Promise.all([...document.images].map(picture => picture.decode()))");

        Assert.Equal([report.Address], report.Requests.Where(address => !address.StartsWith("data:", StringComparison.Ordinal)));
        Assert.Empty(report.Messages);
    }

    [Fact]
    public async Task A_script_is_refused_even_if_one_got_in()
    {
        await using var report = await browser.OpenAsync(SampleReports.Create());

        var refused = report.Page.WaitForConsoleMessageAsync();
        await report.Page.EvaluateAsync(
            "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.hacked = true' }))"
        );

        Assert.Contains("Content Security Policy", (await refused).Text, StringComparison.Ordinal);
        Assert.True(await report.Page.EvaluateAsync<bool>("window.hacked === undefined"));
    }

    [Fact]
    public async Task Hostile_names_are_shown_and_neither_run_nor_break_the_page()
    {
        // Without the policy, so that the encoding alone has to hold.
        await using var report = await browser.OpenAsync(SampleReports.Hostile(), new BrowserNewContextOptions { BypassCSP = true });
        await report.UnfoldAsync();
        await report.Page.EvaluateAsync(
            "document.querySelectorAll('*').forEach(element => ['click', 'mouseover', 'focus', 'error', 'load'].forEach(kind => element.dispatchEvent(new Event(kind))))"
        );

        Assert.Equal(SampleReports.HostileText, await report.Page.Locator("h1").TextContentAsync());
        Assert.Equal(10, await report.Page.Locator("#matrix tbody tr").CountAsync());
        Assert.Equal($"{SampleReports.HostileText} 3", await report.Page.Locator("#matrix tbody th").Nth(3).TextContentAsync());
        Assert.Equal($"{SampleReports.HostileText} 3", await report.Page.Locator("#matrix thead bdi").Nth(3).GetAttributeAsync("title"));
        Assert.Equal(SampleReports.HostileText, await report.Page.Locator(".file").First.GetAttributeAsync("title"));
        Assert.Equal(SampleReports.HostileText, await report.Page.Locator("#specification").TextContentAsync());
        Assert.Equal(
            0,
            await report.Page.Locator("script, iframe, object, embed, form, link:not([rel=icon]), img:not(.picture)").CountAsync()
        );
        Assert.Equal(
            0,
            await report.Page.EvaluateAsync<int>(
                "[...document.querySelectorAll('*')].flatMap(element => [...element.attributes]).filter(attribute => attribute.name.startsWith('on')).length"
            )
        );
        Assert.True(await report.Page.EvaluateAsync<bool>("window.hacked === undefined"));
        Assert.Empty(report.Messages);
    }

    [Fact]
    public async Task It_is_all_there_without_scripts()
    {
        await using var report = await browser.OpenAsync(
            SampleReports.Create(),
            new BrowserNewContextOptions { JavaScriptEnabled = false }
        );

        Assert.Equal(2, await report.Page.Locator(".chart svg .line.validation").CountAsync());
        var specification = report.Page.Locator("#specification");
        Assert.False(await specification.IsVisibleAsync());
        await report.Page.GetByText("The full specification (JSON)").ClickAsync();
        Assert.True(await specification.IsVisibleAsync());
    }

    [Theory]
    [InlineData(400)]
    [InlineData(1400)]
    public async Task No_report_is_wider_than_its_window(int width)
    {
        ReportModel[] models =
        [
            SampleReports.Create(),
            SampleReports.Create(2, 1, validated: false),
            SampleReports.Create(30),
            SampleReports.Create(300, imagesPerClass: 50),
            SampleReports.Hostile(),
        ];
        foreach (var model in models)
        {
            await using var report = await browser.OpenAsync(
                model,
                new BrowserNewContextOptions
                {
                    ViewportSize = new ViewportSize { Width = width, Height = 800 },
                }
            );
            await report.UnfoldAsync();

            var beyond = await report.Page.EvaluateAsync<string[]>(
                """
                () => [...document.querySelectorAll('body *')]
                  .filter(element => !element.closest('.scroll *, .skip, .unseen, svg *, .file *'))
                  .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
                  .map(element => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`)
                """
            );
            Assert.Empty(beyond);
            Assert.True(
                await report.Page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            );
        }
    }

    [Fact]
    public async Task The_dark_scheme_turns_ground_and_ink_around()
    {
        await using var report = await browser.OpenAsync(
            SampleReports.Create(),
            new BrowserNewContextOptions { ColorScheme = ColorScheme.Light }
        );
        var light = await ColoursAsync(report.Page);

        await report.Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = ColorScheme.Dark });
        var dark = await ColoursAsync(report.Page);

        Assert.True(light.Ground > 0.9 && light.Ink < 0.1, $"light: {light}");
        Assert.True(dark.Ground < 0.1 && dark.Ink > 0.7, $"dark: {dark}");
    }

    [Theory]
    [InlineData(ColorScheme.Light, Media.Screen)]
    [InlineData(ColorScheme.Dark, Media.Screen)]
    [InlineData(ColorScheme.Dark, Media.Print)]
    public async Task All_text_stands_out_from_its_ground(ColorScheme scheme, Media media)
    {
        await using var report = await browser.OpenAsync(SampleReports.Harsh());
        await report.Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = scheme, Media = media });
        await report.UnfoldAsync();

        Assert.Empty(await report.Page.EvaluateAsync<string[]>($"() => {{ {PageScripts.Colours} return faint(4.5); }}"));
    }

    [Fact]
    public async Task Headings_tables_and_pictures_can_be_read_aloud()
    {
        await using var report = await browser.OpenAsync(SampleReports.Create());
        await report.UnfoldAsync();

        Assert.Equal("en", await report.Page.Locator("html").GetAttributeAsync("lang"));
        var levels = await report
            .Page.Locator("h1, h2, h3, h4")
            .EvaluateAllAsync<int[]>("all => all.map(heading => Number(heading.tagName[1]))");
        Assert.Equal(1, levels[0]);
        Assert.All(levels.Skip(1), level => Assert.True(level > 1));
        Assert.All(levels.Zip(levels.Skip(1)), pair => Assert.True(pair.Second <= pair.First + 1));
        Assert.Equal(0, await report.Page.Locator("th:not([scope])").CountAsync());
        Assert.Equal(0, await report.Page.Locator("img:not([alt]), img[alt='']").CountAsync());
        Assert.Equal(0, await report.Page.Locator("svg:not([aria-hidden]):not([aria-label])").CountAsync());
        Assert.Equal(
            0,
            await report.Page.EvaluateAsync<int>(
                "[...document.querySelectorAll('figure')].filter(figure => !figure.querySelector('figcaption')).length"
            )
        );
        Assert.Equal(
            0,
            await report.Page.EvaluateAsync<int>(
                "[...document.querySelectorAll('[aria-labelledby], a[href^=\"#\"]')].filter(element => !document.getElementById(element.getAttribute('aria-labelledby') ?? element.hash.slice(1))).length"
            )
        );
        Assert.Equal(
            0,
            await report.Page.EvaluateAsync<int>(
                "(() => { const ids = [...document.querySelectorAll('[id]')].map(element => element.id); return ids.length - new Set(ids).size; })()"
            )
        );
    }

    [Fact]
    public async Task Folded_parts_are_printed()
    {
        await using var report = await browser.OpenAsync(SampleReports.Create());
        await report.Page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Print });

        Assert.True(await report.Page.Locator("#specification").IsVisibleAsync());
        Assert.False(await report.Page.Locator("nav").IsVisibleAsync());
    }

    private static async Task<(double Ground, double Ink)> ColoursAsync(IPage page)
    {
        var found = await page.EvaluateAsync<double[]>(
            $"() => {{ {PageScripts.Colours} return [luminance(parse(getComputedStyle(document.body).backgroundColor)), luminance(parse(getComputedStyle(document.body).color))]; }}"
        );
        return (found[0], found[1]);
    }
}
