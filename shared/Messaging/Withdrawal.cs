using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>How to tell an error after which a process can do no work any more, such as that of a broken GPU; a service registers those of its libraries.</summary>
/// <param name="Matches">Whether an error is one.</param>
public sealed record WorkerError(Func<Exception, bool> Matches);

/// <summary>Takes this process out of the work: it would fail every unit that it takes from workers that could do it, or hears of none any more.</summary>
public sealed partial class Withdrawal(IHostApplicationLifetime lifetime, ILogger<Withdrawal> logger)
{
    private const int ExitCode = 1;

    /// <summary>Why the process is ending; null while it works.</summary>
    public string? Reason { get; private set; }

    internal void Begin(string reason, Exception? error = null)
    {
        Reason ??= reason;
        LogWithdrawn(error, UnitWorker.Name, reason);
        // Whoever watches over processes sees that this one did not end well, and starts it anew.
        Environment.ExitCode = ExitCode;
        lifetime.StopApplication();
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Worker} can do no work any more and ends; what it was doing is left to other workers. {Reason}")]
    private partial void LogWithdrawn(Exception? exception, string worker, string reason);
}
