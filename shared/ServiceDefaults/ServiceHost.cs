using Distributed.Jobs;
using Distributed.Messaging;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Distributed.ServiceDefaults;

/// <summary>Begins a host in the way all of ours begin.</summary>
public static class ServiceHost
{
    /// <summary>The status of a program that cannot begin as it is set up.</summary>
    public const int MisconfiguredStatus = 2;

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

        // Pictures, styles and scripts of pages: of a program that was built and not published, where the build found them.
        builder.WebHost.UseStaticWebAssets();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The largest thing that is sent is a run specification.
            kestrel.Limits.MaxRequestBodySize = 64 << 10;
        });
        return builder;
    }

    /// <summary>A whole host of one service: settings, defaults, module, run.</summary>
    /// <param name="args">The program's arguments.</param>
    /// <param name="serviceName">Its name in telemetry.</param>
    /// <param name="defaultPort">See <see cref="CreateBuilder"/>.</param>
    /// <param name="describe">Describes the settings of the service, beside those of every host.</param>
    /// <param name="addModule">Registers the service and its consumers.</param>
    /// <param name="map">Maps its endpoints, where it has some.</param>
    /// <param name="commands">What the program does instead of serving, for its help; null for nothing.</param>
    /// <returns>
    /// The status to end with: <see cref="MisconfiguredStatus"/> where it cannot begin as it is set up, 130 or 143 after a signal, 1
    /// after an error, else 0.
    /// </returns>
    public static async Task<int> RunAsync(
        string[] args,
        string serviceName,
        int defaultPort,
        Action<HostSettings> describe,
        Action<WebApplicationBuilder, ConsumerSet> addModule,
        Action<WebApplication>? map = null,
        string? commands = null
    )
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(describe);
        ArgumentNullException.ThrowIfNull(addModule);
        if (args is [HealthProbe.Command, var path])
        {
            return HealthProbe.Run(path);
        }

        var stop = StopSignals.Listen();
        var settings = new HostSettings().AddDefaults();
        describe(settings);
        if (args.Any(argument => argument is "--help" or "-h" or "-?"))
        {
            await Console.Out.WriteLineAsync(
                settings.Describe(serviceName)
                    + $"{Environment.NewLine}Commands: {HealthProbe.Command} PATH asks the host that listens on this machine, such as for /health/ready{(commands is null ? "" : $"; {commands}")}."
            );
            return 0;
        }

        try
        {
            await RunAsync(args, serviceName, defaultPort, settings, addModule, map, stop);
            return StopSignals.Status ?? Environment.ExitCode;
        }
        catch (HostSettingsException exception)
        {
            foreach (var error in exception.Errors)
            {
                await Console.Error.WriteLineAsync($"error: {error}");
            }

            return MisconfiguredStatus;
        }
        catch (OperationCanceledException) when (StopSignals.Status is not null)
        {
            // Asked to end before it had begun.
            return StopSignals.Status.Value;
        }
    }

    private static async Task RunAsync(
        string[] args,
        string serviceName,
        int defaultPort,
        HostSettings settings,
        Action<WebApplicationBuilder, ConsumerSet> addModule,
        Action<WebApplication>? map,
        CancellationToken stop
    )
    {
        var wrong = settings.FindErrors(args);
        var builder = CreateBuilder(wrong.Count == 0 ? args : [], defaultPort);
        wrong = [.. wrong, .. settings.FindErrors(builder.Configuration)];
        wrong = wrong.Count > 0 ? wrong : ListenAddresses.FindErrors(builder);
        if (wrong.Count > 0)
        {
            throw new HostSettingsException(wrong);
        }

        var consumers = new ConsumerSet();
        addModule(builder, consumers);
        builder.AddServiceDefaults(serviceName, consumers);
        builder.Services.AddStopSignals();
        await using var app = builder.Build();
        app.MapServiceDefaults();
        map?.Invoke(app);
        try
        {
            await app.StartAsync(stop);
            await app.WaitForShutdownAsync(stop);
        }
        catch (OperationCanceledException) when (app.Services.GetRequiredService<FailFast>().Reason is not null)
        {
            // What it fails for may keep it from stopping in time: it ends all the same, with the status that is set.
        }
    }
}
