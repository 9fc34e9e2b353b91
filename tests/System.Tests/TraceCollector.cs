using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Distributed.TestServers;

namespace Distributed.System.Tests;

/// <summary>Receives spans by OTLP over HTTP, and keeps which service has spans in which trace.</summary>
internal sealed class TraceCollector : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<(string Trace, string Service), bool> _seen = new();
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

    public IEnumerable<string> ServicesOf(string trace) =>
        _seen.Keys.Where(key => key.Trace == trace).Select(key => key.Service).Order(StringComparer.Ordinal);

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
            var service = Fields(resourceSpans, 1).SelectMany(resource => Fields(resource, 1))
                .Where(attribute => Fields(attribute, 1).Any(key => Encoding.UTF8.GetString(key.Span) == "service.name"))
                .SelectMany(attribute => Fields(attribute, 2))
                .SelectMany(value => Fields(value, 1))
                .Select(text => Encoding.UTF8.GetString(text.Span))
                .Single();
            foreach (var trace in Fields(resourceSpans, 2).SelectMany(scope => Fields(scope, 2)).SelectMany(span => Fields(span, 1)))
            {
                _seen[(Convert.ToHexStringLower(trace.Span), service)] = true;
            }
        }
    }

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
