using System.Buffers;
using Distributed.Catalog;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Events;

/// <summary>Answers with events as they come, as server-sent events (WHATWG HTML, section 9.2).</summary>
/// <param name="listener">Where they come from; left when the answer ends.</param>
/// <param name="start">What the listener began with.</param>
/// <param name="runId">The run that is listened to; null for all.</param>
/// <param name="scopes">The scopes that the run needs.</param>
internal sealed class EventStream(EventListener listener, EventBatch start, Guid? runId, HashSet<string> scopes) : IResult
{
    /// <summary>Bytes that are held for one listener.</summary>
    private const int MostUnsent = 64 << 10;

    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(15);

    /// <summary>A listener that takes nothing for so long is cut off; it comes again and goes on.</summary>
    private static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(20);

    /// <summary>A key that is revoked opens nothing when its stream has ended, which clients do not notice: they come again.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <inheritdoc />
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        using var left = listener;
        var response = httpContext.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        // What proxies of nginx's kind know.
        response.Headers["X-Accel-Buffering"] = "no";
        if (HttpMethods.IsHead(httpContext.Request.Method))
        {
            return;
        }

        httpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        var lifetime = httpContext.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, lifetime.ApplicationStopping);
        end.CancelAfter(Longest);
        try
        {
            await WriteAsync(response, ["retry: 2000\n\n"u8.ToArray()], end.Token);
            if (start.IsReset || listener.After is null)
            {
                await WriteAsync(response, [LiveEvent.Start(start.Position, start.IsReset)], end.Token);
            }

            while (true)
            {
                await WriteAsync(response, Frames(await listener.ReadAsync(HeartbeatInterval, end.Token)), end.Token);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The listener has gone, the host stops, or the stream is old.
        }
        catch (TimeoutException)
        {
            httpContext.Abort();
        }
    }

    /// <summary>The scopes that a run needs; null where there is no such run.</summary>
    public static async Task<HashSet<string>?> FindScopesAsync(CatalogContext context, Guid runId, CancellationToken cancellationToken)
    {
        var scopes = await context
            .RunDependencies.Where(dependency => dependency.RunId == runId)
            .Select(dependency => dependency.Scope)
            .ToListAsync(cancellationToken);
        return scopes.Count > 0 || await context.Runs.AnyAsync(run => run.Id == runId, cancellationToken)
            ? scopes.ToHashSet(StringComparer.Ordinal)
            : null;
    }

    private static async Task WriteAsync(
        HttpResponse response,
        IEnumerable<ReadOnlyMemory<byte>> frames,
        CancellationToken cancellationToken
    )
    {
        foreach (var frame in frames)
        {
            response.BodyWriter.Write(frame.Span);
            if (response.BodyWriter.UnflushedBytes > MostUnsent)
            {
                await FlushAsync();
            }
        }

        await FlushAsync();

        async Task FlushAsync() =>
            await response.BodyWriter.FlushAsync(cancellationToken).AsTask().WaitAsync(WriteTimeout, cancellationToken);
    }

    private List<ReadOnlyMemory<byte>> Frames(EventBatch batch)
    {
        if (batch.IsReset)
        {
            return [LiveEvent.Start(batch.Position, isReset: true)];
        }

        var frames = batch.Events.Where(one => !one.IsHidden && IsWanted(one)).Select(one => one.Frame).ToList();
        return frames.Count > 0 || batch.Events.Count > 0 ? frames : [LiveEvent.Heartbeat(batch.Position)];
    }

    private bool IsWanted(LiveEvent one)
    {
        if (runId is null)
        {
            return true;
        }

        if (one.IsJoined && one.RunId == runId)
        {
            scopes.Add(one.Scope!);
        }

        return one.RunId == runId || (one.Scope is { } scope && one.RunId is null && scopes.Contains(scope));
    }
}
