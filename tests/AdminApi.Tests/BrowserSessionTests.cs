using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

/// <summary>Signing in with a browser, as seen from outside it.</summary>
public sealed partial class BrowserSessionTests
{
    private static readonly (string Key, string Value) Required = ("Api:Keys", "required");

    [Fact]
    public async Task A_session_opens_the_pages_and_the_api_for_looking_until_its_key_is_revoked()
    {
        await using var server = await AdminServer.StartAsync(settings: Required);
        using var browser = new Browser(server);
        var key = await CreateKeyAsync(server);

        using var begun = await browser.SignInAsync(key, "/models");
        Assert.Equal((HttpStatusCode.Found, "/models"), (begun.StatusCode, begun.Headers.Location!.OriginalString));
        var cookie = begun
            .Headers.GetValues("Set-Cookie")
            .Single(text => text.StartsWith("distributed-session=", StringComparison.Ordinal));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(key[^10..], cookie, StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.OK, await browser.StatusAsync(HttpMethod.Get, "/models"));
        Assert.Equal(HttpStatusCode.OK, await browser.StatusAsync(HttpMethod.Get, "/api/v1/runs"));
        Assert.Equal(HttpStatusCode.Unauthorized, await browser.StatusAsync(HttpMethod.Post, "/api/v1/runs"));

        await server.Services.GetRequiredService<ApiKeyStore>().RevokeAsync("ada", AuditActor.Account, CancellationToken.None);
        Assert.Equal(HttpStatusCode.Unauthorized, await browser.StatusAsync(HttpMethod.Get, "/api/v1/runs"));
        Assert.Equal(HttpStatusCode.Found, await browser.StatusAsync(HttpMethod.Get, "/models"));
    }

    [Theory]
    [InlineData("//attacker.example")]
    [InlineData("/\\attacker.example")]
    [InlineData("https://attacker.example")]
    [InlineData("")]
    public async Task Signing_in_leads_nowhere_else(string target)
    {
        await using var server = await AdminServer.StartAsync(settings: Required);
        using var browser = new Browser(server);

        using var begun = await browser.SignInAsync(await CreateKeyAsync(server), target);

        Assert.Equal("/", begun.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task A_form_from_elsewhere_begins_no_session()
    {
        await using var server = await AdminServer.StartAsync(settings: Required);
        using var browser = new Browser(server);
        var key = await CreateKeyAsync(server);

        using var answer = await browser.PostAsync("/session/begin", [new("key", key)]);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task A_page_takes_no_key_of_a_program_and_says_where_to_sign_in()
    {
        await using var server = await AdminServer.StartAsync(settings: Required);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/models");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await CreateKeyAsync(server));

        using var response = await server.Client.SendAsync(request);

        var problem = await AdminServer.ProblemAsync(response, HttpStatusCode.Forbidden);
        Assert.Contains("/sign-in", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_this_machine_needs_no_key_who_comes_through_a_proxy_signs_in_all_the_same()
    {
        await using var server = await AdminServer.StartAsync();
        using var browser = new Browser(server);

        Assert.Equal(HttpStatusCode.OK, await browser.StatusAsync(HttpMethod.Get, "/models"));
        browser.Client.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.9");
        Assert.Equal(HttpStatusCode.Found, await browser.StatusAsync(HttpMethod.Get, "/models"));
    }

    [Theory]
    [InlineData("/runs")]
    [InlineData("/runs/new")]
    [InlineData("/datasets")]
    [InlineData("/audit")]
    [InlineData("/settings")]
    [InlineData("/sign-in")]
    public async Task A_page_allows_its_own_scripts_alone_and_none_within(string path)
    {
        await using var server = await AdminServer.StartAsync();

        using var response = await server.Client.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var policy = response.Headers.GetValues("Content-Security-Policy").Single().Split("; ");
        Assert.Contains("default-src 'none'", policy);
        Assert.Contains("script-src 'self'", policy);
        Assert.Contains("connect-src 'self'", policy);
        Assert.Contains("frame-ancestors 'none'", policy);
        Assert.DoesNotMatch(InlineScript(), await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_page_that_a_key_does_not_open_says_so_by_its_status_too()
    {
        await using var server = await AdminServer.StartAsync(settings: Required);
        using var browser = new Browser(server);
        using var begun = await browser.SignInAsync(await CreateKeyAsync(server, ApiRole.Reader), "/audit");

        using var page = await browser.Client.GetAsync("/audit");

        Assert.Equal((HttpStatusCode.Forbidden, "text/html"), (page.StatusCode, page.Content.Headers.ContentType?.MediaType));
        Assert.Contains("Your key does not open this", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, await browser.StatusAsync(HttpMethod.Get, "/settings"));
    }

    private static async Task<string> CreateKeyAsync(AdminServer server, ApiRole role = ApiRole.Operator) =>
        (
            await server.Services.GetRequiredService<ApiKeyStore>().CreateAsync("ada", role, AuditActor.Account, CancellationToken.None)
        )!.Reveal();

    [GeneratedRegex("<script(?![^>]*src=)|<[a-z][^>]* on(click|load|error)=", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex InlineScript();

    [GeneratedRegex("name=\"form\" value=\"(?<token>[^\"]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Token();

    /// <summary>Keeps cookies, and follows nothing.</summary>
    private sealed class Browser : IDisposable
    {
        private readonly HttpClientHandler _handler = new() { AllowAutoRedirect = false };

        public Browser(AdminServer server) => Client = new HttpClient(_handler) { BaseAddress = server.Client.BaseAddress };

        public HttpClient Client { get; }

        public async Task<HttpResponseMessage> SignInAsync(string key, string returnUrl)
        {
            var token = WebUtility.HtmlDecode(Token().Match(await Client.GetStringAsync("/sign-in")).Groups["token"].Value);
            return await PostAsync("/session/begin", [new("form", token), new("key", key), new("returnUrl", returnUrl)]);
        }

        public async Task<HttpResponseMessage> PostAsync(string path, IEnumerable<KeyValuePair<string, string>> fields)
        {
            using var form = new FormUrlEncodedContent(fields);
            return await Client.PostAsync(path, form);
        }

        public async Task<HttpStatusCode> StatusAsync(HttpMethod method, string path)
        {
            using var request = new HttpRequestMessage(method, path);
            using var response = await Client.SendAsync(request);
            return response.StatusCode;
        }

        public void Dispose()
        {
            Client.Dispose();
            _handler.Dispose();
        }
    }
}
