using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>Marks which run entries of the log are about.</summary>
public static class RunLogScope
{
    /// <summary>Marks what is logged until disposal as about a run, in the trace of that run, whatever activity the process is in.</summary>
    /// <param name="logger">The logger.</param>
    /// <param name="runId">The run.</param>
    /// <param name="traceParent">Its trace context; null where it is not at hand.</param>
    public static IDisposable? BeginRun(this ILogger logger, Guid runId, string? traceParent)
    {
        ArgumentNullException.ThrowIfNull(logger);
        return logger.BeginScope(
            new KeyValuePair<string, object?>[] { new("RunId", runId), new("TraceId", JobTelemetry.TraceIdOf(traceParent)) }
        );
    }
}
