using System.Net;

namespace Distributed.AdminApi.Tests;

/// <summary>What pages of missing things say by their status.</summary>
public sealed class PageTests : IAsyncLifetime
{
    private const string Page = "text/html,application/xhtml+xml,*/*;q=0.8";

    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("/runs/6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01", "No run has the id")]
    [InlineData("/runs/6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01/jobs", "No run has the id")]
    [InlineData("/models/nothing", "nothing")]
    [InlineData("/not-found", "There is no such page")]
    public async Task A_page_of_what_is_not_there_says_so_by_its_status_too(string path, string text)
    {
        using var response = await SendAsync(path, Page);

        Assert.Equal((HttpStatusCode.NotFound, "text/html"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Contains(text, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains("script-src 'self'", response.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/v1/nonsense", Page)]
    [InlineData("/nonsense", "application/json")]
    public async Task Programs_read_a_problem(string path, string accept)
    {
        using var response = await SendAsync(path, accept);

        await AdminServer.ProblemAsync(response, HttpStatusCode.NotFound);
    }

    private async Task<HttpResponseMessage> SendAsync(string path, string accept)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Accept", accept);
        return await _server.Client.SendAsync(request);
    }
}
