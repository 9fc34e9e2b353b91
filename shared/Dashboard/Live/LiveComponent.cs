using Distributed.Client;
using Distributed.Dashboard.Access;
using Microsoft.AspNetCore.Components;

namespace Distributed.Dashboard.Live;

/// <summary>A component that shows what is there, and shows it again whenever it may have changed, as long as it is on a page.</summary>
public abstract class LiveComponent : ApiComponent, IAsyncDisposable
{
    private readonly CancellationTokenSource _gone = new();
    private Task _following = Task.CompletedTask;

    [Inject]
    internal ILiveUpdates Updates { get; set; } = null!;

    /// <summary>The run that is looked at; null for all.</summary>
    protected virtual Guid? LiveRun => null;

    /// <summary>Whether what is shown changes also without an event.</summary>
    protected virtual bool IsLive => true;

    /// <summary>Why what is shown could not be read again; null where it could.</summary>
    protected Failure? Missing { get; private set; }

    /// <summary>Ends when the component leaves its page.</summary>
    protected CancellationToken Gone => _gone.Token;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _gone.CancelAsync();
        await _following;
        _gone.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Reads what is shown.</summary>
    protected abstract Task LoadAsync(DistributedClient api);

    /// <summary>Takes note of what happened, before what is shown is read again.</summary>
    protected virtual void Hear(IReadOnlyList<LiveEvent> events) { }

    /// <summary>Reads it now.</summary>
    protected async Task RefreshAsync() => Missing = await AttemptAsync(LoadAsync);

    /// <inheritdoc/>
    protected override Task OnParametersSetAsync() => RefreshAsync();

    /// <inheritdoc/>
    protected override void OnAfterRender(bool firstRender)
    {
        // It is called where there is somebody to show changes to, and not where the page is only written.
        if (firstRender)
        {
            _following = FollowAsync();
        }
    }

    private async Task FollowAsync()
    {
        try
        {
            await foreach (var events in Updates.ReadAsync(LiveRun, Gone))
            {
                // What has ended may still be edited, or opened again.
                if (IsLive || events.Count > 0)
                {
                    await InvokeAsync(async () =>
                    {
                        Hear(events);
                        await RefreshAsync();
                        StateHasChanged();
                    });
                }
            }
        }
        catch (OperationCanceledException) when (_gone.IsCancellationRequested)
        {
            // It has left the page.
        }
    }
}
