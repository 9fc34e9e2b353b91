using Distributed.ServiceDefaults;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Distributed.Messaging.Tests;

public sealed class OtlpWatchTests : IDisposable
{
    private static readonly Uri Traces = new("http://collector:4318/v1/traces");
    private static readonly Uri Logs = new("http://collector:4318/v1/logs");

    private readonly FakeTimeProvider _time = new();
    private readonly Log _log = new();
    private readonly OtlpWatch _watch;

    public OtlpWatchTests() => _watch = new OtlpWatch(_time, _log);

    public void Dispose() => _watch.Dispose();

    [Fact]
    public void What_does_not_arrive_is_told_when_it_begins_now_and_then_and_when_it_is_over()
    {
        _watch.Note(Traces, cause: null, answered: true);
        Assert.Empty(_log.Lines);

        _watch.Note(Traces, "Connection refused", answered: false);
        _time.Advance(TimeSpan.FromMinutes(9));
        _watch.Note(Logs, "Connection refused", answered: false);
        Assert.Equal(
            ["Warning: Telemetry does not arrive at http://collector:4318/v1/traces, and is lost until it does: Connection refused"],
            _log.Lines
        );

        _time.Advance(TimeSpan.FromMinutes(2));
        _watch.Note(Traces, "Connection refused", answered: false);
        Assert.Equal(2, _log.Lines.Count);

        // What one of them reaches, all of them can.
        _watch.Note(Traces, cause: null, answered: true);
        _watch.Note(Traces, cause: null, answered: true);
        Assert.Equal("Information: Telemetry arrives at http://collector:4318/v1/traces again", _log.Lines[2]);
        Assert.Equal(3, _log.Lines.Count);
    }

    [Fact]
    public void A_collector_that_refuses_one_kind_is_not_said_to_work_while_it_takes_others()
    {
        _watch.Note(Logs, "404 (Not Found)", answered: true);
        _watch.Note(Traces, cause: null, answered: true);
        Assert.Single(_log.Lines);

        _watch.Note(Logs, cause: null, answered: true);

        Assert.Equal("Information: Telemetry arrives at http://collector:4318/v1/logs again", _log.Lines[1]);
    }

    [Fact]
    public void The_cause_is_the_innermost_error_without_where_it_was_in_the_code() =>
        Assert.Equal(
            "Connection refused",
            OtlpWatch.CauseOf(
                """
                System.Net.Http.HttpRequestException: Connection refused (collector:4318)
                 ---> System.Net.Sockets.SocketException (111): Connection refused
                   at System.Net.Sockets.Socket.Somewhere()
                   --- End of inner exception stack trace ---
                   at System.Net.Http.Somewhere()
                """
            )
        );

    private sealed class Log : ILogger<OtlpWatch>
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        void ILogger.Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Lines.Add($"{logLevel}: {formatter(state, exception)}");
    }
}
