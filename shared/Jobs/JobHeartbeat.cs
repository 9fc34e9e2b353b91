using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>Extends the lease of a job while it is worked on, and records what it waits for.</summary>
public sealed partial class JobHeartbeat(JobStore store, JobAlarm alarm, JobErrors errors, JobOptions options, ILogger<JobHeartbeat> logger)
{
    /// <summary>Extends a lease until it is ended, or the job is lost.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="lost">Cancelled when the job is lost.</param>
    /// <param name="endToken">Ends the heartbeat.</param>
    public async Task KeepAsync(JobLease lease, CancellationTokenSource lost, CancellationToken endToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(lost);
        var alarmed = alarm.Next;
        try
        {
            while (true)
            {
                await Task.WhenAny(alarmed, Task.Delay(options.Heartbeat, endToken));
                endToken.ThrowIfCancellationRequested();
                alarmed = alarm.Next;
                try
                {
                    if (!await store.ExtendAsync(lease, endToken))
                    {
                        await lost.CancelAsync();
                        return;
                    }
                }
                catch (Exception exception) when (errors.OutageOf(exception) is not null)
                {
                    // The commit's guard decides whether the job was lost meanwhile.
                    LogNoHeartbeat(exception, lease.Job);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The job has ended.
        }
    }

    /// <summary>Records for people what a job waits for, as long as the database can be reached.</summary>
    public async Task NoteAsync(JobLease lease, string cause)
    {
        try
        {
            await store.NoteAsync(lease, cause, CancellationToken.None);
        }
        catch (Exception exception) when (errors.OutageOf(exception) is not null)
        {
            LogNotNoted(exception, lease.Job);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "No heartbeat for {Job}: the database cannot be reached")]
    private partial void LogNoHeartbeat(Exception exception, JobKey job);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Job} waits, and the database cannot be reached to record it")]
    private partial void LogNotNoted(Exception exception, JobKey job);
}
