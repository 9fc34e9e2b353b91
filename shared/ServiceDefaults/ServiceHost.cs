using Distributed.Messaging;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.ServiceDefaults;

/// <summary>Begins a host in the way all of ours begin.</summary>
public static class ServiceHost
{
    /// <summary>A builder that finds its settings beside the program, and listens on loopback where nothing else is said.</summary>
    /// <param name="args">The program's arguments; <c>--Key=value</c> sets a setting.</param>
    /// <param name="defaultPort">Where it listens on loopback when neither <c>--urls</c>, <c>ASPNETCORE_URLS</c> nor <c>ASPNETCORE_HTTP_PORTS</c> says otherwise.</param>
    public static WebApplicationBuilder CreateBuilder(string[] args, int defaultPort)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        var configuration = builder.Configuration;
        if (configuration["urls"] is null && configuration["http_ports"] is null && configuration["https_ports"] is null)
        {
            builder.WebHost.UseUrls($"http://127.0.0.1:{defaultPort}");
        }

        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The largest thing that is sent is a run specification.
            kestrel.Limits.MaxRequestBodySize = 64 << 10;
        });
        return builder;
    }

    /// <summary>A whole host of one service: defaults, module, run.</summary>
    /// <param name="args">The program's arguments.</param>
    /// <param name="serviceName">Its name in telemetry.</param>
    /// <param name="defaultPort">See <see cref="CreateBuilder"/>.</param>
    /// <param name="addModule">Registers the service and its consumers.</param>
    /// <param name="map">Maps its endpoints, where it has some.</param>
    public static async Task RunAsync(string[] args, string serviceName, int defaultPort, Action<WebApplicationBuilder, ConsumerSet> addModule, Action<WebApplication>? map = null)
    {
        ArgumentNullException.ThrowIfNull(addModule);
        var builder = CreateBuilder(args, defaultPort);
        var consumers = new ConsumerSet();
        addModule(builder, consumers);
        builder.AddServiceDefaults(serviceName, consumers);
        await using var app = builder.Build();
        app.MapServiceDefaults();
        map?.Invoke(app);
        try
        {
            await app.RunAsync();
        }
        catch (OperationCanceledException) when (app.Services.GetRequiredService<Withdrawal>().Reason is not null)
        {
            // What it withdraws for may keep it from stopping in time: it ends all the same, with the status that the withdrawal has set.
        }
    }
}
