using Distributed.AdminApi.Access;
using Distributed.AdminApi.Browser;
using Distributed.AdminApi.Comparisons;
using Distributed.AdminApi.Consumers;
using Distributed.AdminApi.Endpoints;
using Distributed.AdminApi.Images;
using Distributed.AdminApi.Listing;
using Distributed.AdminApi.Maps;
using Distributed.AdminApi.Predictions;
using Distributed.AdminApi.Retention;
using Distributed.AdminApi.Telemetry;
using Distributed.AdminApi.Webhooks;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Downloads;
using Distributed.Messaging;
using Distributed.Registry;
using Distributed.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Scalar.AspNetCore;

namespace Distributed.AdminApi;

/// <summary>The admin service: submit, watch and cancel runs, by HTTP and by message; the watchdog.</summary>
public static class AdminApiModule
{
    /// <summary>Describes the settings of the service.</summary>
    public static void DescribeSettings(HostSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        settings
            .AddOptions<ApiOptions>(ApiOptions.Section)
            .AddOptions<PredictionOptions>(PredictionOptions.Section)
            .AddOptions<RetentionOptions>(RetentionOptions.Section)
            .AddOptions<TelemetryOptions>(TelemetryOptions.Section)
            .AddOptions<WebhookOptions>(WebhookOptions.Section)
            .AddGroup(
                CustomVisionProjects.Section,
                "PROJECT_ID",
                "the name of a model",
                text => ModelNames.IsName(text) ? null : "is no name of a model"
            );
    }

    /// <summary>Registers the service; also called by the one-process host.</summary>
    public static void AddAdminApi(this IHostApplicationBuilder builder, ConsumerSet consumers)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(consumers);
        builder.Services.AddSingleton(new VolumeOptions(VolumeDuty.Begin));
        builder.Services.AddSingleton<RunSubmission>();
        builder.Services.AddSingleton<RunOperations>();
        builder.Services.AddSingleton<RunQueries>();
        builder.Services.AddSingleton<RunList>();
        builder.Services.AddSingleton<ImageCatalog>();
        builder.Services.AddSingleton<ImageRequest>();
        builder.Services.AddSingleton<RunComparer>();
        builder.Services.AddSingleton<FeatureMaps>();
        builder.Services.TryAddSingleton<DatasetArtifacts>();
        builder.Services.TryAddSingleton<ModelRegistry>();
        builder
            .Services.AddOptions<PredictionOptions>()
            .BindConfiguration(PredictionOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder
            .Services.AddHttpClient(ImageReader.ClientName, client => client.Timeout = TimeSpan.FromSeconds(30))
            .ConfigurePrimaryHttpMessageHandler(services => new GuardedHttpHandler(
                services.GetRequiredService<IOptions<PredictionOptions>>().Value.AllowPrivateAddresses,
                $"{PredictionOptions.Section}:{nameof(PredictionOptions.AllowPrivateAddresses)}"
            ));
        builder.AddBackboneList();
        builder.Services.AddSingleton<ImageReader>();
        builder.Services.AddSingleton<PredictionService>();
        builder.Services.AddSingleton<ModelFiles>();
        builder.Services.AddSingleton<CustomVisionProjects>();
        builder.Services.AddHostedService<CatalogMetrics>();
        builder.Services.AddHostedService<VolumeMetrics>();
        builder.Services.AddWatchdog(builder.Configuration.GetConnectionString("RabbitMq"));
        builder
            .Services.AddOptions<RetentionOptions>()
            .BindConfiguration(RetentionOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder
            .Services.AddOptions<TelemetryOptions>()
            .BindConfiguration(TelemetryOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.PostConfigure<TelemetryOptions>(options =>
        {
            if (string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            {
                // What is sent nowhere can be looked at nowhere.
                (options.TraceUrl, options.LogsUrl) = (null, null);
            }
        });
        builder.Services.AddSingleton<OrphanSweep>();
        builder.Services.AddSingleton<Collector>();
        builder.Services.AddHostedService<CollectionTimer>();
        builder.AddLive();
        builder.Services.AddCompression();
        builder.Services.AddProblems();
        builder.Services.AddApiAccess();
        builder.Services.AddOpenApi(
            "v1",
            options =>
            {
                options.AddDocumentTransformer(
                    (document, _, _) =>
                    {
                        document.Info.Title = "Distributed";
                        document.Info.Description =
                            "Submit, watch, compare and repeat runs that train a new head for a pretrained network; look at their images; keep models and predict with them.";
                        return Task.CompletedTask;
                    }
                );
                options.DescribeAccess();
                options.LeaveOutHead();
                options.AddExamples();
            }
        );
        builder.Services.ConfigureHttpJsonOptions(options => ContractJson.Configure(options.SerializerOptions));
        consumers.AddSubmissions<SubmitRunConsumer>();
        // A command that works on one run listens nowhere.
        if (builder is WebApplicationBuilder web)
        {
            web.AddBrowser();
        }
    }

    /// <summary>Maps the API and its description.</summary>
    public static void MapAdminApi(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseResponseCompression();
        app.UseProblems();
        app.UseApiAccess();
        app.UseStrictQuery();
        var api = app.MapGroup("/api/v1").AddEndpointFilter<CatalogFilter>().WithStrictQuery();
        api.MapEvents();
        api.MapRuns();
        api.MapJobs();
        api.MapWorkers();
        api.MapQueues();
        api.MapDeadLetters();
        api.MapWebhooks();
        api.MapRunImages();
        api.MapComparisons();
        api.MapFeatureMaps();
        api.MapViews();
        api.MapDatasets();
        api.MapDatasetImages();
        api.MapBackbones();
        api.MapModels();
        api.MapPredictions();
        api.MapModelFiles();
        api.MapAudit();
        api.MapIdentity();
        api.MapKeys();
        api.MapMaintenance();
        var elsewhere = app.MapGroup("").AddEndpointFilter<CatalogFilter>();
        elsewhere.MapOpenInference();
        elsewhere.MapCustomVision();
        // How to ask is no secret; what is answered is.
        app.MapOpenApi().AllowAnonymous();
        app.MapScalarApiReference(
                "/docs",
                options =>
                    options
                        .WithTitle("Distributed")
                        .HideDeveloperTools()
                        .HideClientButton()
                        .DisableAgent()
                        .DisableMcp()
                        .DisableTelemetry()
                        .DisableDefaultFonts()
            )
            .AllowAnonymous()
            .WithContentSecurity(
                "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
            );
        app.MapGet("/", () => TypedResults.Redirect("/runs")).AllowAnonymous().ExcludeFromDescription();
        app.MapBrowser();
    }
}
