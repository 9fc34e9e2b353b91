using System.Collections.Frozen;
using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Distributed.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Distributed.ServiceDefaults;

/// <summary>What every host has: catalog, bus, volume, telemetry, health, a bounded shutdown.</summary>
public static class ServiceDefaultsRegistration
{
    /// <summary>Prefix of the names of all our activity sources and meters.</summary>
    private const string OwnSources = "Distributed.*";

    /// <summary>Tag of the health checks that readiness asks; liveness asks none.</summary>
    private const string ReadyTag = "ready";

    /// <summary>Longer than any that is well takes, and shorter than those who probe wait.</summary>
    private static readonly TimeSpan CheckTimeout = TimeSpan.FromSeconds(5);

    /// <summary>What an operator looks at of the metrics of libraries, which have many more.</summary>
    private static readonly FrozenSet<string> LibraryMetrics = FrozenSet.Create(
        StringComparer.Ordinal,
        "dotnet.process.cpu.time",
        "dotnet.process.memory.working_set",
        "dotnet.gc.pause.time",
        "dotnet.gc.last_collection.heap.size",
        "dotnet.thread_pool.queue.length",
        "dotnet.exceptions",
        "http.client.request.duration",
        "db.client.operation.duration",
        "db.client.operation.failed",
        "db.client.operation.npgsql.executing",
        "db.client.connection.count",
        "db.client.connection.max"
    );

    /// <summary>Adds the defaults to a host.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="serviceName">Its name in telemetry, as in <c>training</c>.</param>
    /// <param name="consumers">What it consumes.</param>
    /// <exception cref="ArgumentException">ConnectionStrings:Catalog, ConnectionStrings:RabbitMq or Volume:Root is missing.</exception>
    public static void AddServiceDefaults(this IHostApplicationBuilder builder, string serviceName, ConsumerSet consumers)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var configuration = builder.Configuration;
        builder.Services.AddSingleton(
            new Volume(
                configuration["Volume:Root"]
                    ?? throw new ArgumentException("Volume:Root is not configured; give the directory that all hosts share.")
            )
        );
        builder.Services.TryAddSingleton(new VolumeOptions());
        builder.Services.AddSingleton<IHostCheck, VolumeCheck>();
        builder.Services.AddSingleton(configuration.GetSection("Jobs").Get<JobOptions>() ?? new JobOptions());
        builder.Services.AddCatalog(
            configuration.GetConnectionString("Catalog"),
            configuration.GetValue("Catalog:Migrate", defaultValue: true)
        );
        builder.Services.AddPipeline();
        builder.Services.AddMessaging(configuration.GetConnectionString("RabbitMq"), consumers);
        builder.Services.AddRunEvents();
        builder.Services.AddHostedService(provider => ActivatorUtilities.CreateInstance<WorkerReporter>(provider, serviceName));
        builder.Services.Configure<HostOptions>(options =>
        {
            // The web server answers for the host's life from the first moment, also while the database is away.
            options.ServicesStartConcurrently = true;
            options.ShutdownTimeout = TimeSpan.FromSeconds(25);
        });
        builder.Services.AddSingleton(provider => new VolumeHealthCheck(provider.GetRequiredService<Volume>()));
        builder
            .Services.AddHealthChecks()
            .AddCheck<CatalogHealthCheck>("catalog", tags: [ReadyTag], timeout: CheckTimeout)
            .AddCheck<VolumeHealthCheck>("volume", tags: [ReadyTag])
            .AddCheck<HostHealthCheck>("host", tags: [ReadyTag])
            .AddCheck<QueueHealthCheck>("queues", tags: [ReadyTag])
            .AddCheck<FailFastHealthCheck>("worker", tags: [ReadyTag]);
        builder.Services.Configure<HealthCheckServiceOptions>(TagBusAsReadiness);
        builder.Services.Configure<HealthCheckPublisherOptions>(options =>
            (options.Delay, options.Period, options.Predicate) = (
                TimeSpan.FromSeconds(2),
                TimeSpan.FromSeconds(10),
                check => check.Tags.Contains(ReadyTag)
            )
        );
        builder.Services.AddSingleton<IHealthCheckPublisher, ReadinessMetrics>();
        AddTelemetry(builder, serviceName);
    }

    /// <summary>Maps <c>/health/live</c>, <c>/health/ready</c> and <c>/metrics</c>.</summary>
    public static void MapServiceDefaults(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseMetricsPort();
        app.UseSecurityHeaders();
        // A supervisor has no key. What these say is no secret; the figures of /metrics are where a host knows keys.
        app.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false }).AllowAnonymous().DisableRateLimiting();
        app.MapHealthChecks(
                "/health/ready",
                new HealthCheckOptions
                {
                    Predicate = check => check.Tags.Contains(ReadyTag),
                    // The bus calls it degraded that it consumes nothing while its broker is away.
                    ResultStatusCodes = { [HealthStatus.Degraded] = StatusCodes.Status503ServiceUnavailable },
                    ResponseWriter = WriteHealthAsync,
                }
            )
            .AllowAnonymous();
        app.MapPrometheusScrapingEndpoint();
    }

    private static void TagBusAsReadiness(HealthCheckServiceOptions options)
    {
        // The bus registers its own check, under a name of its choosing.
        foreach (
            var registration in options.Registrations.Where(registration =>
                registration.Name.StartsWith("masstransit", StringComparison.OrdinalIgnoreCase)
            )
        )
        {
            registration.Tags.Add(ReadyTag);
            registration.Name = "broker";
        }
    }

    private static Task WriteHealthAsync(HttpContext context, HealthReport report) =>
        context.Response.WriteAsJsonAsync(
            new
            {
                status = report.Status.ToString(),
                checks = report.Entries.ToDictionary(
                    entry => entry.Key,
                    entry => new { status = entry.Value.Status.ToString(), entry.Value.Description }
                ),
            }
        );

    private static void AddTelemetry(IHostApplicationBuilder builder, string serviceName)
    {
        builder.AddLogging();
        var isExported = !string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        var telemetry = builder
            .Services.AddOpenTelemetry()
            .ConfigureResource(resource =>
                resource.AddService(serviceName, serviceNamespace: "distributed", serviceInstanceId: JobWorker.Name)
            )
            .WithMetrics(metrics =>
                metrics
                    // Every one stands in the table of docs/operations.md. Of the bus none: it measures by message type what ours tell by kind of job.
                    .AddMeter(OwnSources)
                    .AddMeter("Npgsql")
                    .AddMeter("Microsoft.AspNetCore.Hosting")
                    .AddMeter("System.Net.Http")
                    .AddRuntimeInstrumentation()
                    .AddView(instrument =>
                        instrument.Meter.Name is "Npgsql" or "System.Runtime" or "System.Net.Http"
                        && !LibraryMetrics.Contains(instrument.Name)
                            ? MetricStreamConfiguration.Drop
                            : null
                    )
                    .AddPrometheusExporter()
            )
            .WithTracing(tracing => AddTracing(tracing, builder.Configuration, isExported));
        if (isExported)
        {
            telemetry.UseOtlpExporter();
        }
    }

    /// <summary>Runs have traces, which their logs name, also where nobody collects them; what only a collector sees is measured only for one.</summary>
    private static void AddTracing(TracerProviderBuilder tracing, IConfiguration configuration, bool isExported)
    {
        tracing
            .AddSource(OwnSources)
            .AddSource(MessagingRegistration.BusSourceName)
            .AddAspNetCoreInstrumentation(options => options.Filter = context => !IsProbe(context.Request.Path));
        if (isExported)
        {
            tracing.AddHttpClientInstrumentation().AddNpgsql();
        }

        if (string.IsNullOrWhiteSpace(configuration["OTEL_TRACES_SAMPLER"]))
        {
            tracing.SetSampler(new ParentBasedSampler(new CauseSampler()));
        }
    }

    private static bool IsProbe(PathString path) =>
        path.StartsWithSegments("/health", StringComparison.Ordinal) || path.StartsWithSegments("/metrics", StringComparison.Ordinal);
}
