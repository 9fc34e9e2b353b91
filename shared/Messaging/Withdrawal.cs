using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>How to tell an error after which a process can do no work any more, such as that of a broken GPU; a service registers those of its libraries.</summary>
/// <param name="Matches">Whether an error is one.</param>
public sealed record WorkerError(Func<Exception, bool> Matches);

/// <summary>Takes this process out of the work: it would fail every job that it takes from workers that could do it, or hears of none any more.</summary>
public sealed partial class Withdrawal(IHostApplicationLifetime lifetime, ILogger<Withdrawal> logger)
{
    /// <summary>Why the process is ending; null while it works.</summary>
    public string? Reason { get; private set; }

    /// <summary>The status that the process ends with (<see cref="HostExit"/>); 0 while it works.</summary>
    public int ExitCode { get; private set; }

    internal void Begin(string reason, Exception? error = null)
    {
        LogWithdrawn(error, JobWorker.Name, reason);
        // Whoever watches over processes sees that this one did not end well, and starts it anew.
        End(reason, HostExit.Broken);
    }

    /// <summary>Ends a host that has not begun to work, and would not after another start either.</summary>
    internal void Refuse(string reason, int exitCode)
    {
        LogRefused(JobWorker.Name, reason);
        End(reason, exitCode);
    }

    private void End(string reason, int exitCode)
    {
        if (Reason is null)
        {
            (Reason, ExitCode) = (reason, exitCode);
            Environment.ExitCode = exitCode;
        }

        lifetime.StopApplication();
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Worker} takes no work and ends. {Reason}")]
    private partial void LogRefused(string worker, string reason);

    [LoggerMessage(
        Level = LogLevel.Critical,
        Message = "{Worker} can do no work any more and ends; what it was doing is left to other workers. {Reason}"
    )]
    private partial void LogWithdrawn(Exception? exception, string worker, string reason);
}
