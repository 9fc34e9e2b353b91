using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>Ends this process to be restarted: it would fail every job that it takes from workers that could do it, or is sent none any more.</summary>
public sealed partial class FailFast(IHostApplicationLifetime lifetime, ILogger<FailFast> logger)
{
    /// <summary>Why the process is ending; null while it works.</summary>
    public string? Reason { get; private set; }

    /// <summary>The status that the process ends with (<see cref="HostExit"/>); 0 while it works.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Ends a host that can do no work any more.</summary>
    /// <param name="reason">Why, in one or more sentences.</param>
    /// <param name="error">The error that showed it.</param>
    public void End(string reason, Exception? error = null)
    {
        LogBroken(error, JobWorker.Name, reason);
        // The exit status tells the supervisor that the process did not end well, so that it restarts it.
        Stop(reason, HostExit.Broken);
    }

    /// <summary>Ends a host that has not begun to work, and would not after another start either.</summary>
    /// <param name="reason">Why, in one or more sentences.</param>
    /// <param name="exitCode">The status to end with (<see cref="HostExit"/>).</param>
    public void Refuse(string reason, int exitCode)
    {
        LogRefused(JobWorker.Name, reason);
        Stop(reason, exitCode);
    }

    private void Stop(string reason, int exitCode)
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
    private partial void LogBroken(Exception? exception, string worker, string reason);
}
