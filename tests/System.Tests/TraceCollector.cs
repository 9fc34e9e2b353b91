using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>One span, as a collector sees it.</summary>
/// <param name="Service">The host that made it.</param>
/// <param name="Trace">Its trace.</param>
/// <param name="Id">Its own id.</param>
/// <param name="Parent">Its parent's id; empty where it has none.</param>
/// <param name="Scope">The library that made it.</param>
/// <param name="Name">What it is of.</param>
/// <param name="Links">The ids of spans that it links to.</param>
internal sealed record CollectedSpan(
    string Service,
    string Trace,
    string Id,
    string Parent,
    string Scope,
    string Name,
    IReadOnlyList<string> Links
);

/// <summary>Receives spans by OTLP over HTTP.</summary>
internal sealed class TraceCollector : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<string, CollectedSpan> _spans = new(StringComparer.Ordinal);
    private readonly Task _receiving;

    private TraceCollector(Uri endpoint)
    {
        Endpoint = endpoint;
        _listener.Prefixes.Add(endpoint.ToString());
        _listener.Start();
        _receiving = ReceiveAsync();
    }

    public Uri Endpoint { get; }

    /// <summary>What came: spans, metrics and logs, as they were sent.</summary>
    public ConcurrentQueue<byte[]> Received { get; } = new();

    public static Task<TraceCollector> StartAsync() => Task.FromResult(new TraceCollector(new Uri($"http://127.0.0.1:{FreePort.Next()}/")));

    /// <summary>The settings of hosts that send here, soon.</summary>
    public IReadOnlyDictionary<string, string?> Settings =>
        new Dictionary<string, string?>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Endpoint.ToString(),
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "500",
        };

    /// <summary>The spans of a trace that have come so far.</summary>
    public IReadOnlyList<CollectedSpan> SpansOf(string trace) => [.. _spans.Values.Where(span => span.Trace == trace)];

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _receiving;
        _listener.Close();
    }

    private async Task ReceiveAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            Received.Enqueue(body.ToArray());
            if (context.Request.Url!.AbsolutePath == "/v1/traces")
            {
                Read(body.ToArray());
            }

            context.Response.Close();
        }
    }

    /// <summary>Walks the messages of opentelemetry-proto's trace service by their field numbers.</summary>
    private void Read(byte[] request)
    {
        foreach (var resourceSpans in Fields(request, 1))
        {
            var service = Fields(resourceSpans, 1)
                .SelectMany(resource => Fields(resource, 1))
                .Where(attribute => Fields(attribute, 1).Any(key => Text(key) == "service.name"))
                .SelectMany(attribute => Fields(attribute, 2))
                .SelectMany(value => Fields(value, 1))
                .Select(Text)
                .Single();
            foreach (var scopeSpans in Fields(resourceSpans, 2))
            {
                var scope = Fields(scopeSpans, 1).SelectMany(found => Fields(found, 1)).Select(Text).FirstOrDefault("");
                foreach (var span in Fields(scopeSpans, 2))
                {
                    var id = Id(span, 2);
                    _spans[id] = new CollectedSpan(
                        service,
                        Id(span, 1),
                        id,
                        Id(span, 4),
                        scope,
                        Fields(span, 5).Select(Text).Single(),
                        [.. Fields(span, 13).Select(link => Id(link, 2))]
                    );
                }
            }
        }
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    private static string Id(ReadOnlyMemory<byte> message, int field) =>
        Fields(message, field).Select(id => Convert.ToHexStringLower(id.Span)).SingleOrDefault("");

    private static List<ReadOnlyMemory<byte>> Fields(ReadOnlyMemory<byte> message, int wanted)
    {
        var found = new List<ReadOnlyMemory<byte>>();
        var at = 0;
        while (at < message.Length)
        {
            var tag = ReadVarint(message.Span, ref at);
            switch (tag & 7)
            {
                case 0:
                    ReadVarint(message.Span, ref at);
                    break;
                case 1:
                    at += 8;
                    break;
                case 5:
                    at += 4;
                    break;
                default:
                    var length = (int)ReadVarint(message.Span, ref at);
                    if ((int)(tag >> 3) == wanted)
                    {
                        found.Add(message.Slice(at, length));
                    }

                    at += length;
                    break;
            }
        }

        return found;
    }

    private static ulong ReadVarint(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
