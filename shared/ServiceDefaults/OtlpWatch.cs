using System.Diagnostics.Tracing;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.ServiceDefaults;

/// <summary>
/// Says when telemetry does not arrive, and when it does again: the exporter itself reports only to listeners of its events. What is not sent is lost,
/// and the host works on.
/// </summary>
internal sealed partial class OtlpWatch(TimeProvider time, ILogger<OtlpWatch> logger) : IHostedService, IDisposable
{
    private const string EndpointKey = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>How often a failure that lasts is logged.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    private readonly Lock _lock = new();

    // Those that answered with an error, and those that did not answer.
    private readonly Dictionary<Uri, bool> _failing = [];
    private Listener? _listener;
    private long? _saidAt;

    /// <summary>Whether telemetry is sent anywhere.</summary>
    public static bool IsNeeded(IConfiguration configuration) => !string.IsNullOrWhiteSpace(configuration[EndpointKey]);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _listener = new Listener(Note);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        // What is in the making at the end is sent after this; whether it arrives is not logged.
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        _listener?.Dispose();
        _listener = null;
    }

    /// <summary>Takes note of what became of a batch.</summary>
    /// <param name="endpoint">Where it was sent.</param>
    /// <param name="cause">Why it did not arrive; null where it did.</param>
    /// <param name="answered">Whether there was an answer.</param>
    internal void Note(Uri endpoint, string? cause, bool answered)
    {
        lock (_lock)
        {
            if (cause is null)
            {
                // Traces may arrive where figures are refused; but what one of them reaches can be reached by all.
                var mended = _failing
                    .Where(failing => failing.Key == endpoint || (!failing.Value && failing.Key.Authority == endpoint.Authority))
                    .Select(failing => failing.Key)
                    .ToList();
                mended.ForEach(one => _failing.Remove(one));
                if (mended.Count == 0 || _failing.Count > 0)
                {
                    return;
                }

                _saidAt = null;
            }
            else
            {
                _failing[endpoint] = answered;
                if (_saidAt is { } saidAt && time.GetElapsedTime(saidAt) < Interval)
                {
                    return;
                }

                _saidAt = time.GetTimestamp();
            }
        }

        var name = NameOf(endpoint);
        if (cause is null)
        {
            LogArrives(name);
        }
        else
        {
            LogLost(name, cause);
        }
    }

    /// <summary>The words of an exception's text that name its cause: its innermost error, without where it was in the code.</summary>
    internal static string CauseOf(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var cause = lines.LastOrDefault(line => line.StartsWith("--->", StringComparison.Ordinal)) ?? lines.FirstOrDefault() ?? "no answer";
        return TypeName().Replace(cause.TrimStart('-', '>', ' '), "");
    }

    /// <summary>The procedures of gRPC are no part of what was set.</summary>
    private static string NameOf(Uri endpoint) =>
        endpoint.GetLeftPart(
            endpoint.AbsolutePath.StartsWith("/opentelemetry.", StringComparison.Ordinal) ? UriPartial.Authority : UriPartial.Path
        );

    [GeneratedRegex(@"^[\w.]+Exception(\s\([^)]*\))?:\s", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TypeName();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Telemetry does not arrive at {Endpoint}, and is lost until it does: {Cause}")]
    private partial void LogLost(string endpoint, string cause);

    [LoggerMessage(Level = LogLevel.Information, Message = "Telemetry arrives at {Endpoint} again")]
    private partial void LogArrives(string endpoint);

    private sealed class Listener(Action<Uri, string?, bool> note) : EventListener
    {
        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "OpenTelemetry-Exporter-OpenTelemetryProtocol")
            {
                EnableEvents(eventSource, EventLevel.Verbose);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            // Events about a batch begin with the address it was sent to, and those about errors end with the cause.
            if (eventData.Payload is not [string address, ..] || !Uri.TryCreate(address, UriKind.Absolute, out var endpoint))
            {
                return;
            }

            if (eventData.EventName == "ExportSuccess")
            {
                note(endpoint, null, true);
            }
            else if (eventData.Level is > EventLevel.LogAlways and <= EventLevel.Warning)
            {
                var cause =
                    eventData.Payload.Skip(1).OfType<string>().LastOrDefault(text => !string.IsNullOrWhiteSpace(text))
                    ?? eventData.EventName
                    ?? "";
                note(
                    endpoint,
                    CauseOf(cause),
                    eventData.EventName
                        is not ("FailedToReachCollector" or "TransientHttpError" or "RequestTimedOut" or "OperationUnexpectedlyCanceled")
                );
            }
        }
    }
}
