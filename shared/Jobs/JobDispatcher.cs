namespace Distributed.Jobs;

/// <summary>Sends the messages of planned jobs, in the traces of their runs.</summary>
public sealed class JobDispatcher(JobStages stages, JobOutbox outbox, IJobTransport transport)
{
    /// <summary>Sends what is to be sent for some scopes now.</summary>
    /// <param name="scopes">The scopes.</param>
    /// <param name="again">Whether to send those again that were sent but not claimed: a message may have been lost.</param>
    /// <param name="cancellationToken">Stops waiting for broker or database.</param>
    public async Task SendAsync(IEnumerable<string> scopes, bool again, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(scopes);
        await transport.Ready.WaitAsync(cancellationToken);
        foreach (var scope in scopes.Distinct(StringComparer.Ordinal))
        {
            var claimed = await outbox.ClaimForDispatchAsync(scope, again, cancellationToken);
            // Together, since the broker confirms each on its own.
            await SendOrReturnAsync(claimed, job => SendAsync(job, cancellationToken));
        }
    }

    /// <summary>Sends the message of a job that was just planned: nobody else looks for it yet, so that it is marked sent and sent at once.</summary>
    public async Task SendNewAsync(Job job, CancellationToken cancellationToken)
    {
        await transport.Ready.WaitAsync(cancellationToken);
        await SendOrReturnAsync(
            [job],
            one => Task.WhenAll(outbox.MarkDispatchedAsync(one, cancellationToken), SendAsync(one, cancellationToken))
        );
    }

    /// <summary>Sends the message of one job.</summary>
    public async Task SendAsync(Job job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        using var trace = JobTelemetry.ContinueTrace("send job", job.TraceParent);
        var stage = stages.For(job.Kind);
        await transport.SendAsync(stage, stage.CreateMessage(job.Scope, job.Step), job.Priority, cancellationToken);
    }

    private async Task SendOrReturnAsync(IReadOnlyList<Job> jobs, Func<Job, Task> send)
    {
        var sending = jobs.Select(job => (Job: job, Task: send(job))).ToList();
        try
        {
            await Task.WhenAll(sending.Select(one => one.Task));
        }
        catch
        {
            // The broker went away, or the host stops: the next to look finds them unsent, and need not wait for the watchdog.
            await outbox.ReturnUndispatchedAsync(
                sending.Where(one => !one.Task.IsCompletedSuccessfully).Select(one => one.Job),
                CancellationToken.None
            );
            throw;
        }
    }
}
