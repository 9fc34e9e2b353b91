using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Logs;

namespace Distributed.ServiceDefaults;

/// <summary>What every host logs, and in which form: one line an entry.</summary>
public static class LoggingRegistration
{
    /// <summary>The setting that chooses between the forms.</summary>
    private const string FormatKey = "Logging:Format";

    /// <summary>The forms; the first one holds where nothing is said.</summary>
    private static readonly string[] Formats = ["text", "json"];

    /// <summary>What libraries say when nothing is wrong is for who asks for it, by the same settings.</summary>
    private static readonly (string Category, LogLevel Level)[] Usual =
    [
        ("Default", LogLevel.Information),
        ("MassTransit", LogLevel.Warning),
        ("Microsoft.AspNetCore", LogLevel.Warning),
        // It warns of keys that are kept in memory, and that is where they belong.
        ("Microsoft.AspNetCore.DataProtection", LogLevel.Error),
        ("System.Net.Http", LogLevel.Warning),
        ("Microsoft.EntityFrameworkCore", LogLevel.Warning),
        // What fails there comes back as an exception, and is logged where it is caught; readiness is shown on request.
        ("Microsoft.EntityFrameworkCore.Database", LogLevel.None),
        ("Microsoft.EntityFrameworkCore.Update", LogLevel.None),
        ("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None),
    ];

    /// <summary>Whether programs read the log, and so nothing else may stand between its lines.</summary>
    public static bool IsForPrograms(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return string.Equals(configuration[FormatKey], Formats[1], StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Adds how to log.</summary>
    internal static HostSettings AddLogging(this HostSettings settings)
    {
        var levels = SettingText.OneOf(Enum.GetNames<LogLevel>());
        return settings
            .AddOptional(FormatKey, SettingText.OneOf(Formats), Formats[0], text => IsFormat(text) ? null : $"is {SettingText.Quote(text)}")
            .AddGroup(
                "Logging:LogLevel",
                "CATEGORY",
                levels,
                text => Enum.GetNames<LogLevel>().Contains(text, StringComparer.OrdinalIgnoreCase) ? null : $"is {SettingText.Quote(text)}"
            )
            .AddOptional("Logging:LogLevel:Default", levels, "information", _ => null);
    }

    /// <summary>Writes entries to the console in the form that is set, and hands them to telemetry.</summary>
    /// <param name="builder">The host.</param>
    internal static void AddLogging(this IHostApplicationBuilder builder)
    {
        // Who asks for less than is usual means libraries too.
        var least = Enum.TryParse<LogLevel>(builder.Configuration["Logging:LogLevel:Default"], ignoreCase: true, out var asked)
            ? asked
            : LogLevel.Trace;
        // Below all other settings, so that any of these can be set.
        builder.Configuration.Sources.Insert(
            0,
            new MemoryConfigurationSource
            {
                InitialData = Usual.Select(usual =>
                    KeyValuePair.Create(
                        $"Logging:LogLevel:{usual.Category}",
                        (string?)(usual.Level < least ? least : usual.Level).ToString()
                    )
                ),
            }
        );
        builder.Logging.AddConsole();
        builder.Logging.AddConsoleFormatter<TextLogFormatter, ConsoleFormatterOptions>();
        builder.Logging.AddConsoleFormatter<JsonLogFormatter, ConsoleFormatterOptions>();
        builder.Services.Configure<ConsoleLoggerOptions>(console =>
            console.FormatterName = IsForPrograms(builder.Configuration) ? JsonLogFormatter.FormatName : TextLogFormatter.FormatName
        );
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        if (OtlpWatch.IsNeeded(builder.Configuration))
        {
            builder.Services.AddHostedService<OtlpWatch>();
        }
    }

    private static bool IsFormat(string text) => Formats.Contains(text, StringComparer.OrdinalIgnoreCase);
}
