using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace Distributed.ServiceDefaults;

/// <summary>
/// Where Prometheus asks. <c>/metrics</c> is asked for as everything else of a host is, with a key where the host knows keys; on a port of
/// its own (<c>Metrics:Port</c>), which a network keeps to itself, it is the only thing there, and takes no key.
/// </summary>
internal static class MetricsEndpoint
{
    /// <summary>The setting.</summary>
    public const string PortSetting = "Metrics:Port";

    private const string Path = "/metrics";

    /// <summary>What is wrong with the setting's text; null when nothing is.</summary>
    public static string? FindPortError(string text) =>
        ListenAddresses.FindPortError(text) is null && !text.Contains(';', StringComparison.Ordinal)
            ? null
            : $"is {SettingText.Quote(text)}";

    /// <summary>Answers on the port of its own, before anything else looks at a request.</summary>
    public static void UseMetricsPort(this WebApplication app)
    {
        if (app.Configuration.GetValue<int?>(PortSetting) is not { } port)
        {
            return;
        }

        app.MapWhen(
            context => context.Connection.LocalPort == port,
            metrics =>
            {
                metrics.UseOpenTelemetryPrometheusScrapingEndpoint(Path);
                metrics.Run(context =>
                {
                    context.Response.StatusCode = StatusCodes.Status404NotFound;
                    return Task.CompletedTask;
                });
            }
        );
    }

    /// <summary>What is wrong with the port of its own for a host that listens at some addresses; null when nothing is.</summary>
    public static string? FindError(IConfiguration configuration, IEnumerable<BindingAddress> addresses) =>
        configuration.GetValue<int?>(PortSetting) is { } port && addresses.All(address => address.Port != port)
            ? $"Metrics__Port is {port}, where this host does not listen. Add that port to ASPNETCORE_HTTP_PORTS or ASPNETCORE_URLS, with a semicolon before it."
            : null;
}
