using System.IO.Compression;
using System.Net;
using System.Text;

namespace Distributed.AdminApi.Tests;

/// <summary>What goes out compressed, and what does not.</summary>
public sealed class CompressionTests : IAsyncLifetime
{
    private const string Compressed = "gzip, br";

    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("/runs", "text/html")]
    [InlineData("/openapi/v1.json", "application/json")]
    [InlineData("/api/v1/runs/fields", "application/json")]
    [InlineData("/api/v1/nonsense", "application/problem+json")]
    public async Task What_is_text_goes_out_compressed_to_who_takes_it(string path, string type)
    {
        using var plain = await SendAsync(HttpMethod.Get, path);
        using var packed = await SendAsync(HttpMethod.Get, path, Compressed);

        Assert.Empty(plain.Content.Headers.ContentEncoding);
        Assert.Equal((type, "br"), (packed.Content.Headers.ContentType?.MediaType, packed.Content.Headers.ContentEncoding.Single()));
        Assert.Contains("Accept-Encoding", packed.Headers.Vary);
        await using var stream = new BrotliStream(await packed.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        using var reader = new StreamReader(stream);
        Assert.Equal(Start(await plain.Content.ReadAsStringAsync()), Start(await reader.ReadToEndAsync()));
    }

    [Fact]
    public async Task A_stream_of_events_and_an_answer_with_a_secret_go_out_as_they_are()
    {
        using var events = await SendAsync(HttpMethod.Get, "/api/v1/events", Compressed);
        using var created = await SendAsync(HttpMethod.Post, "/api/v1/webhooks", Compressed, """{"url":"https://hooks.example/"}""");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Created), (events.StatusCode, created.StatusCode));
        Assert.Empty(events.Content.Headers.ContentEncoding);
        Assert.Empty(created.Content.Headers.ContentEncoding);
        Assert.StartsWith("whsec_", (await AdminServer.JsonAsync(created)).GetProperty("secret").GetString(), StringComparison.Ordinal);
    }

    /// <summary>What follows differs in each answer: the tokens of forms and of live parts, the id of a trace.</summary>
    private static string Start(string text) => text[..Math.Min(text.Length, 60)];

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? accepted = null, string? json = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (accepted is not null)
        {
            request.Headers.Add("Accept-Encoding", accepted);
        }

        if (json is not null)
        {
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        }

        // A stream of events has no end to wait for.
        return await _server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}
