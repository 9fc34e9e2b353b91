using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Distributed.Datasets.Tests;

/// <summary>A server on the loopback address that knows ranges, and misbehaves as it is told.</summary>
internal sealed class DownloadServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly TaskCompletionSource _ending = new();

    public DownloadServer()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _application = builder.Build();
        _application.Run(AnswerAsync);
    }

    public byte[] Content { get; set; } = [];

    public string? ETag { get; set; } = "\"one\"";

    public int Status { get; set; }

    /// <summary>Bytes after which a connection is cut; null for none.</summary>
    public int? BreakAfter { get; set; }

    /// <summary>Bytes after which an answer goes silent; null for none.</summary>
    public int? StallAfter { get; set; }

    public bool IgnoresRanges { get; set; }

    public bool HidesLength { get; set; }

    /// <summary>Where every request is sent on to; null for nowhere.</summary>
    public string? RedirectTo { get; set; }

    public bool IgnoresConditions { get; set; }

    public List<string> Requests { get; } = [];

    public Uri Address => new(_application.Urls.First() + "/file.bin");

    public static async Task<DownloadServer> StartAsync(byte[] content)
    {
        var server = new DownloadServer { Content = content };
        await server._application.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        _ending.TrySetResult();
        await _application.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request.GetTypedHeaders();
        Requests.Add(context.Request.Headers.Range.ToString());
        if (RedirectTo is not null)
        {
            context.Response.Redirect(RedirectTo);
            return;
        }

        if (Status != 0)
        {
            context.Response.StatusCode = Status;
            return;
        }

        var start = (int)(request.Range?.Ranges.Single().From ?? 0);
        var sameFile = request.IfRange is null || IgnoresConditions || request.IfRange.EntityTag?.Tag.ToString() == ETag;
        if (IgnoresRanges || !sameFile)
        {
            start = 0;
        }

        context.Response.Headers.ETag = ETag;
        if (start > 0 && start >= Content.Length)
        {
            context.Response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            return;
        }

        if (start > 0)
        {
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = string.Create(
                CultureInfo.InvariantCulture,
                $"bytes {start}-{Content.Length - 1}/{Content.Length}"
            );
        }

        var rest = Content.AsMemory(start);
        context.Response.ContentLength = HidesLength ? null : rest.Length;
        if ((BreakAfter ?? StallAfter) is { } limit && limit < rest.Length)
        {
            await context.Response.Body.WriteAsync(rest[..limit]);
            await context.Response.Body.FlushAsync();
            if (BreakAfter is null)
            {
                await Task.WhenAny(_ending.Task, Task.Delay(Timeout.Infinite, context.RequestAborted));
            }

            context.Abort();
            return;
        }

        await context.Response.Body.WriteAsync(rest);
    }
}
