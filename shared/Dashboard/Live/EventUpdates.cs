using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Distributed.Client;
using Distributed.Dashboard.Access;

namespace Distributed.Dashboard.Live;

/// <summary>
/// Listens to the API's events in the visitor's name. What comes together is one reason to look; while there is no stream, it looks now and then and
/// says nothing of it: the page's own requests show what is wrong.
/// </summary>
internal sealed class EventUpdates(Visitor visitor, TimeProvider time) : ILiveUpdates
{
    /// <summary>Events that are kept for a page until it is drawn again; of more, the latest.</summary>
    private const int MostKept = 100;

    /// <summary>A page is drawn again at most so often.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(400);

    /// <summary>What is computed from the time of day, such as how long a run takes so far, changes without an event.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    public async IAsyncEnumerable<IReadOnlyList<LiveEvent>> ReadAsync(
        Guid? runId,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var news = Channel.CreateBounded<LiveEvent>(new BoundedChannelOptions(MostKept) { FullMode = BoundedChannelFullMode.DropOldest });
        var listening = ListenAsync(runId, news.Writer, cancellationToken);
        var waiting = Task.CompletedTask;
        while (true)
        {
            waiting = waiting.IsCompleted ? news.Reader.WaitToReadAsync(cancellationToken).AsTask() : waiting;
            await Task.WhenAny(waiting, listening, Task.Delay(Longest, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
            if (listening.IsCompleted)
            {
                await listening;
            }

            var heard = new List<LiveEvent>();
            while (news.Reader.TryRead(out var one))
            {
                heard.Add(one);
            }

            yield return heard;
            await Task.Delay(Pace, time, cancellationToken);
        }
    }

    private async Task ListenAsync(Guid? runId, ChannelWriter<LiveEvent> news, CancellationToken cancellationToken)
    {
        string? last = null;
        while (true)
        {
            try
            {
                var api = await visitor.ConnectAsync();
                await foreach (var one in api.ListenAsync(runId, last, cancellationToken))
                {
                    last = one.Id;
                    news.TryWrite(one);
                }
            }
            catch (Exception exception) when (exception is ApiException or HttpRequestException or IOException)
            {
                // The page looks by itself until the stream is back.
                last = null;
                await Task.Delay(Longest, time, cancellationToken);
            }
        }
    }
}
