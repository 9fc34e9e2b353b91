using System.Net;
using System.Text.Json;
using System.Threading.Channels;

namespace Distributed.AdminApi.Tests;

/// <summary>An event as a listener gets it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Kind">Its name.</param>
/// <param name="Data">Its data.</param>
internal sealed record HeardEvent(string Id, string Kind, JsonElement Data)
{
    public string? Text(string field) => Data.TryGetProperty(field, out var value) ? value.ToString() : null;

    public override string ToString() => $"{Kind} {Data}";
}

/// <summary>Listens to the events of a server, as a browser's EventSource does.</summary>
internal sealed class EventReader : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly HttpResponseMessage _response;
    private readonly Channel<HeardEvent> _heard = Channel.CreateUnbounded<HeardEvent>();
    private readonly Task _reading;

    private EventReader(HttpResponseMessage response)
    {
        _response = response;
        _reading = ReadAsync();
    }

    /// <summary>The id that a client sends when it comes again.</summary>
    public string? LastId { get; private set; }

    public HttpResponseMessage Response => _response;

    public static async Task<EventReader> ListenAsync(HttpClient client, string query = "", string? lastId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/events{query}");
        if (lastId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastId);
        }

        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience);
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        return new EventReader(response);
    }

    /// <summary>Listens from now on.</summary>
    public static async Task<EventReader> ListenFromNowAsync(HttpClient client, string query = "")
    {
        var reader = await ListenAsync(client, query);
        Assert.Equal("ready", (await reader.NextAsync()).Kind);
        return reader;
    }

    /// <summary>The next event.</summary>
    public async Task<HeardEvent> NextAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        return await _heard.Reader.ReadAsync(patience.Token);
    }

    /// <summary>The next event of some kinds; those of other kinds are passed over.</summary>
    public async Task<HeardEvent> NextAsync(params string[] kinds)
    {
        while (true)
        {
            var heard = await NextAsync();
            if (kinds.Contains(heard.Kind, StringComparer.Ordinal))
            {
                return heard;
            }
        }
    }

    /// <summary>Everything up to an event, that included.</summary>
    public async Task<List<HeardEvent>> UntilAsync(Func<HeardEvent, bool> last)
    {
        var events = new List<HeardEvent>();
        do
        {
            events.Add(await NextAsync());
        } while (!last(events[^1]));

        return events;
    }

    public async ValueTask DisposeAsync()
    {
        _response.Dispose();
        await _reading;
    }

    private async Task ReadAsync()
    {
        try
        {
            using var lines = new StreamReader(await _response.Content.ReadAsStreamAsync());
            var (kind, data, id) = ("", "", LastId);
            while (await lines.ReadLineAsync() is { } line)
            {
                if (line.Length == 0)
                {
                    LastId = id;
                    if (data.Length > 0)
                    {
                        using var json = JsonDocument.Parse(data);
                        await _heard.Writer.WriteAsync(new HeardEvent(id ?? "", kind, json.RootElement.Clone()));
                    }

                    (kind, data) = ("", "");
                }
                else if (line.StartsWith("id: ", StringComparison.Ordinal))
                {
                    id = line[4..];
                }
                else if (line.StartsWith("event: ", StringComparison.Ordinal))
                {
                    kind = line[7..];
                }
                else if (line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    data = line[6..];
                }
            }
        }
        catch (Exception exception)
            when (exception is IOException or HttpRequestException or ObjectDisposedException or OperationCanceledException)
        {
            // The test has left, or the server has stopped.
        }
        finally
        {
            _heard.Writer.Complete();
        }
    }
}
