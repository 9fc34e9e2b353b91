using System.Runtime.CompilerServices;

namespace Distributed.Dashboard.Live;

/// <summary>Looks once a second.</summary>
internal sealed class PollingUpdates(TimeProvider time) : ILiveUpdates
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    public async IAsyncEnumerable<bool> ReadAsync(Guid? runId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            yield return true;
        }
    }
}
