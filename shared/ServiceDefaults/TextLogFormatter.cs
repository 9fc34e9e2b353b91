using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Distributed.Jobs;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Distributed.ServiceDefaults;

/// <summary>
/// Entries for people: <c>2026-01-31T12:00:00.000Z info  Messaging.JobWorker: message run=… trace=…</c>, one line each whatever it says, and
/// no longer than can be read.
/// </summary>
internal sealed class TextLogFormatter(TimeProvider time) : ConsoleFormatter(FormatName)
{
    public const string FormatName = "distributed-text";

    /// <summary>The most characters of message and exception together.</summary>
    public const int MostCharacters = 2_000;

    private const string OwnPrefix = "Distributed.";

    private static readonly string[] Libraries = ["MassTransit.", "Npgsql.", "RabbitMQ."];

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        ArgumentNullException.ThrowIfNull(textWriter);
        var said = new StringBuilder(logEntry.Formatter?.Invoke(logEntry.State, logEntry.Exception));
        if (logEntry.Exception is { } exception)
        {
            said.Append(said.Length == 0 ? "" : " | ")
                .Append(logEntry.LogLevel >= LogLevel.Error && !IsOfConnections(exception) ? exception.ToString() : Chain(exception));
        }

        if (said.Length == 0)
        {
            return;
        }

        var category = logEntry.Category.StartsWith(OwnPrefix, StringComparison.Ordinal)
            ? logEntry.Category[OwnPrefix.Length..]
            : logEntry.Category;
        textWriter.Write(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{time.GetUtcNow().UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ} {NameOf(logEntry.LogLevel), -5} {category}: "
            )
        );
        WriteLine(said, textWriter);
        var origin = LogOrigin.Of(logEntry.State, scopeProvider);
        WriteOrigin(" run=", origin.Run, textWriter);
        WriteOrigin(" trace=", origin.Trace, textWriter);
        textWriter.Write(Environment.NewLine);
    }

    public static string NameOf(LogLevel level) =>
        level switch
        {
            LogLevel.Trace => "trace",
            LogLevel.Debug => "debug",
            LogLevel.Information => "info",
            LogLevel.Warning => "warn",
            LogLevel.Error => "error",
            _ => "critical",
        };

    /// <summary>What comes of servers and files that are away: where in the code it was met says nothing about that.</summary>
    private static bool IsOfConnections(Exception exception) =>
        exception is IOException or SocketException or TimeoutException or OperationCanceledException
        || Libraries.Any(library => exception.GetType().FullName!.StartsWith(library, StringComparison.Ordinal));

    /// <summary>The causes, from the outermost to the first; where they are in the code is shown of unexpected errors only.</summary>
    private static string Chain(Exception exception)
    {
        var causes = new List<string>();
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            // The message of several errors together only repeats theirs.
            if (cause is not AggregateException { InnerException: not null })
            {
                // Some libraries put a whole stack into a message.
                causes.Add($"{cause.GetType().Name}: {cause.Message.TrimStart().Split('\n')[0].TrimEnd()}");
            }
        }

        return string.Join(" <- ", causes);
    }

    private static void WriteOrigin(string title, string? value, TextWriter writer)
    {
        if (value is not null)
        {
            writer.Write(title);
            writer.Write(value);
        }
    }

    /// <summary>What could end the line, or steer a terminal, is written as an escape: names of files and runs are anybody's.</summary>
    private static void WriteLine(StringBuilder said, TextWriter writer)
    {
        var length = Math.Min(said.Length, MostCharacters);
        for (var i = 0; i < length; i++)
        {
            switch (said[i])
            {
                case '\r' when i + 1 < said.Length && said[i + 1] == '\n':
                    break;
                case '\r' or '\n':
                    writer.Write("\\n");
                    break;
                case '\t':
                    writer.Write(' ');
                    break;
                case var other when char.IsControl(other) || other is '\u2028' or '\u2029':
                    writer.Write(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)other:x4}"));
                    break;
                case var other:
                    writer.Write(other);
                    break;
            }
        }

        if (length < said.Length)
        {
            writer.Write(string.Create(CultureInfo.InvariantCulture, $"… ({said.Length - length} more characters)"));
        }
    }
}
