using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Distributed.Client;

public sealed partial class DistributedClient
{
    private static readonly TimeSpan ReconnectPause = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Hears what happens, each event once and in its order, until it is cancelled. Where the connection ends it is made again, and goes on after the last event.
    /// </summary>
    /// <param name="runId">Only what concerns this run; null for everything.</param>
    /// <param name="after">The id of the event after which to go on; null to hear what comes from now on, after an event of the kind <c>ready</c>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<LiveEvent> ListenAsync(
        Guid? runId = null,
        string? after = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        while (true)
        {
            await using var events = ListenOnceAsync(runId, after, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (true)
            {
                try
                {
                    if (!await events.MoveNextAsync())
                    {
                        break;
                    }
                }
                catch (Exception exception) when (after is not null && exception is (HttpRequestException or IOException))
                {
                    // It has heard something already, so the server is there, and comes back.
                    break;
                }

                after = events.Current.Id;
                yield return events.Current;
            }

            await Task.Delay(ReconnectPause, cancellationToken);
        }
    }

    private async IAsyncEnumerable<LiveEvent> ListenOnceAsync(
        Guid? runId,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        using var response = await SendAsync(
            HttpMethod.Get,
            "events" + Query(("run", runId), ("after", after)),
            content: null,
            cancellationToken
        );
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            using var data = JsonDocument.Parse(item.Data);
            yield return new LiveEvent(item.EventId ?? after ?? "", item.EventType, data.RootElement.Clone());
        }
    }
}
