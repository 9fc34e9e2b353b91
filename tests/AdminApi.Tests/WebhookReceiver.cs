using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Distributed.AdminApi.Tests;

/// <summary>What a webhook's address was sent.</summary>
internal sealed record ReceivedDelivery(string Id, string Timestamp, string Signature, string Body)
{
    /// <summary>Whether the signature is that of a secret, as docs/api.md says how to check it.</summary>
    public bool IsSignedWith(string secret)
    {
        var key = Convert.FromBase64String(secret["whsec_".Length..]);
        var signed = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{Id}.{Timestamp}.{Body}"));
        return Signature
            .Split(' ')
            .Any(one =>
                one.StartsWith("v1,", StringComparison.Ordinal)
                && CryptographicOperations.FixedTimeEquals(Convert.FromBase64String(one[3..]), signed)
            );
    }

    public DateTimeOffset At => DateTimeOffset.FromUnixTimeSeconds(long.Parse(Timestamp, CultureInfo.InvariantCulture));
}

/// <summary>An address that webhooks are sent to, and its answers.</summary>
internal sealed class WebhookReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WebhookReceiver(WebApplication app) => _app = app;

    public ConcurrentQueue<ReceivedDelivery> Received { get; } = new();

    /// <summary>The answers to give, in turn; 204 when there are no more.</summary>
    public ConcurrentQueue<HttpStatusCode> Answers { get; } = new();

    public string Url => $"{_app.Urls.Single()}/hook";

    public static async Task<WebhookReceiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var receiver = new WebhookReceiver(app);
        app.MapPost("/hook", receiver.ReceiveAsync);
        await app.StartAsync();
        return receiver;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body);
        Received.Enqueue(
            new ReceivedDelivery(
                http.Request.Headers["webhook-id"].ToString(),
                http.Request.Headers["webhook-timestamp"].ToString(),
                http.Request.Headers["webhook-signature"].ToString(),
                await reader.ReadToEndAsync()
            )
        );
        var status = Answers.TryDequeue(out var answer) ? answer : HttpStatusCode.NoContent;
        http.Response.StatusCode = (int)status;
        if (status == HttpStatusCode.Found)
        {
            http.Response.Headers.Location = "/hook";
        }

        if (status != HttpStatusCode.NoContent)
        {
            await http.Response.WriteAsync($"answer {(int)status}");
        }
    }
}
