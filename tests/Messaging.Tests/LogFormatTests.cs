using System.Diagnostics;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.ServiceDefaults;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Time.Testing;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging.Tests;

public sealed class LogFormatTests
{
    private static readonly FakeTimeProvider Time = new(new DateTimeOffset(2026, 1, 31, 12, 0, 0, 7, TimeSpan.Zero));
    private static readonly Guid RunId = Guid.Parse("01a21820-7e32-7419-bda2-5ac6d021efb3");

    [Fact]
    public void Text_is_a_line_with_time_level_category_and_message() =>
        Assert.Equal("2026-01-31T12:00:00.007Z info  Some.Category: said", Text(LogLevel.Information, "said"));

    [Fact]
    public void Whatever_a_message_holds_it_is_one_line_that_steers_no_terminal() =>
        Assert.Equal(
            @"2026-01-31T12:00:00.007Z warn  Some.Category: a\nb\nc d\u001b[31m",
            Text(LogLevel.Warning, "a\r\nb\nc\td\u001b[31m")
        );

    [Fact]
    public void A_long_entry_is_cut_and_its_run_still_stands_at_the_end()
    {
        var line = Text(
            LogLevel.Warning,
            new string('x', 10_725),
            scopes: scopes => scopes.Push(new Dictionary<string, object> { ["RunId"] = RunId })
        );

        Assert.InRange(line.Length, TextLogFormatter.MostCharacters, TextLogFormatter.MostCharacters + 200);
        Assert.EndsWith($"x… (8725 more characters) run={RunId:D}", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Causes_are_named_and_where_they_are_in_the_code_is_told_of_unexpected_errors_only()
    {
        var broker = Thrown(new BrokerUnreachableException(new InvalidOperationException("refused\n   at Somewhere()")));
        var mistake = Thrown(new InvalidOperationException("outer", new ArgumentException("inner")));

        Assert.EndsWith(
            "said | BrokerUnreachableException: None of the specified endpoints were reachable <- InvalidOperationException: refused",
            Text(LogLevel.Error, "said", broker),
            StringComparison.Ordinal
        );
        Assert.EndsWith(
            "said | InvalidOperationException: outer <- ArgumentException: inner",
            Text(LogLevel.Warning, "said", mistake),
            StringComparison.Ordinal
        );
        Assert.Contains(
            @"said | System.InvalidOperationException: outer\n ---> System.ArgumentException: inner\n",
            Text(LogLevel.Error, "said", mistake),
            StringComparison.Ordinal
        );
        Assert.Contains(nameof(Thrown), Text(LogLevel.Critical, "said", mistake), StringComparison.Ordinal);
    }

    [Fact]
    public void The_innermost_scope_that_names_a_run_or_trace_counts_and_else_the_activity()
    {
        using var activity = new Activity("test").SetIdFormat(ActivityIdFormat.W3C).Start();
        var trace = activity.TraceId.ToHexString();

        Assert.EndsWith($": said trace={trace}", Text(LogLevel.Information, "said"), StringComparison.Ordinal);
        Assert.EndsWith(
            $": said run={RunId:D} trace=4bf92f3577b34da6a3ce929d0e0e4736",
            Text(
                LogLevel.Information,
                "said",
                scopes: scopes =>
                {
                    scopes.Push(new Dictionary<string, object> { ["RunId"] = Guid.Empty });
                    new ScopeLogger(scopes).BeginRun(RunId, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
                    scopes.Push("a scope without names");
                }
            ),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Json_is_one_object_a_line_with_the_whole_exception_and_the_values_of_the_message()
    {
        var line = Write(
            new JsonLogFormatter(Time),
            new LogEntry<IReadOnlyList<KeyValuePair<string, object?>>>(
                LogLevel.Error,
                "Some.Category",
                default,
                [new("Count", 3), new("Name", "é\n"), new("Rate", double.NaN), new("RunId", RunId), new("{OriginalFormat}", "x")],
                Thrown(new InvalidOperationException(new string('y', 5_000))),
                (_, _) => "said\n"
            )
        );

        var json = JsonDocument.Parse(Assert.Single(line.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries))).RootElement;
        Assert.Equal(
            ["time", "level", "category", "message", "run", "exception", "values"],
            json.EnumerateObject().Select(property => property.Name)
        );
        Assert.Equal(
            ("2026-01-31T12:00:00.007Z", "error", "said\n", RunId),
            (
                json.GetProperty("time").GetString(),
                json.GetProperty("level").GetString(),
                json.GetProperty("message").GetString(),
                json.GetProperty("run").GetGuid()
            )
        );
        Assert.Contains(nameof(Thrown), json.GetProperty("exception").GetString(), StringComparison.Ordinal);
        Assert.Equal("""{"Count":3,"Name":"é\n","Rate":"NaN"}""", json.GetProperty("values").GetRawText());
    }

    private static string Text(LogLevel level, string said, Exception? exception = null, Action<IExternalScopeProvider>? scopes = null)
    {
        var line = Write(
            new TextLogFormatter(Time),
            new LogEntry<string>(level, "Distributed.Some.Category", default, said, exception, (text, _) => text),
            scopes
        );
        Assert.EndsWith(Environment.NewLine, line, StringComparison.Ordinal);
        line = line[..^Environment.NewLine.Length];
        Assert.DoesNotContain('\n', line);
        return line;
    }

    private static string Write<TState>(ConsoleFormatter formatter, LogEntry<TState> entry, Action<IExternalScopeProvider>? scopes = null)
    {
        var provider = new LoggerExternalScopeProvider();
        scopes?.Invoke(provider);
        using var writer = new StringWriter();
        formatter.Write(in entry, provider, writer);
        return writer.ToString();
    }

    private static Exception Thrown(Exception exception)
    {
        try
        {
            throw exception;
        }
        catch (Exception thrown)
        {
            return thrown;
        }
    }

    private sealed class ScopeLogger(IExternalScopeProvider scopes) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => scopes.Push(state);

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => throw new NotSupportedException();
    }
}
