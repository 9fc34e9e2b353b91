using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>Plans and sends what follows from a job that has ended, and publishes the end of its runs.</summary>
public sealed partial class JobContinuation(
    JobStages stages,
    IJobFlow flow,
    JobStore store,
    JobDispatcher dispatcher,
    IEnumerable<ICompletionPublisher> publishers,
    OutageRetry outages,
    JobOptions options,
    ILogger<JobContinuation> logger
)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Plans and sends what follows from a job that is done.</summary>
    /// <param name="job">The job.</param>
    /// <param name="again">Whether to send again what was sent but not claimed: its message may have been lost.</param>
    /// <param name="cancellationToken">Stops waiting for broker or database.</param>
    public async Task GoOnAsync(JobKey job, bool again, CancellationToken cancellationToken)
    {
        var scopes = await ScheduleNextAsync(job, cancellationToken);
        if (scopes is not null)
        {
            await SendAsync(scopes, again, cancellationToken);
        }

        if (scopes is null || stages.IsLast(job.Kind))
        {
            await PublishAsync(cancellationToken);
        }
    }

    /// <summary>Sends what is to be sent for some scopes; what cannot be sent now is left to a redelivery or to the watchdog.</summary>
    public async Task SendAsync(IReadOnlyList<string> scopes, bool again, CancellationToken cancellationToken)
    {
        try
        {
            await outages.RunAsync(token => dispatcher.SendAsync(scopes, again, token), cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            LogNotSent(exception);
        }
    }

    /// <summary>Requeues and sends jobs that waited for recomputed data.</summary>
    public async Task UnblockAsync(CancellationToken cancellationToken) =>
        await SendAsync(await outages.RunAsync(flow.UnblockAsync, cancellationToken), again: false, cancellationToken);

    /// <summary>Publishes the end of runs that have ended; what cannot be published now is left to the watchdog.</summary>
    public async Task PublishAsync(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var publisher in publishers)
            {
                await outages.RunAsync(publisher.PublishAsync, cancellationToken);
            }
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            LogNotSent(exception);
        }
    }

    /// <summary>Plans what follows. Nobody else would, and the runs would wait for ever: so they fail where planning does.</summary>
    private async Task<IReadOnlyList<string>?> ScheduleNextAsync(JobKey job, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await outages.RunAsync(token => flow.ScheduleNextAsync(job, token), cancellationToken);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                LogNothingFollows(exception, job);
                if (tries >= options.MaxAttempts)
                {
                    var reason =
                        $"What follows {job.Kind} of step {job.Step} could not be found: {exception.GetType().Name}: {exception.Message}";
                    await outages.RunAsync(
                        token => store.FailRunsAsync(job.Scope, new JobFailure(FailureCause.Internal, reason), token),
                        cancellationToken
                    );
                    return null;
                }
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "What follows {Job} could not be found")]
    private partial void LogNothingFollows(Exception exception, JobKey job);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What follows could not be sent; the watchdog will")]
    private partial void LogNotSent(Exception exception);
}
