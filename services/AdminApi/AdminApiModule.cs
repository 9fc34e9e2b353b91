using Distributed.AdminApi.Consumers;
using Distributed.AdminApi.Endpoints;
using Distributed.Contracts;
using Distributed.Messaging;
using Scalar.AspNetCore;

namespace Distributed.AdminApi;

/// <summary>The admin service: submit, watch and cancel runs, by HTTP and by message; the watchdog.</summary>
public static class AdminApiModule
{
    /// <summary>Registers the service; also called by the one-process host.</summary>
    public static void AddAdminApi(this IHostApplicationBuilder builder, ConsumerSet consumers)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(consumers);
        builder.Services.AddSingleton<RunSubmission>();
        builder.Services.AddSingleton<RunOperations>();
        builder.Services.AddSingleton<RunQueries>();
        builder.Services.AddHostedService<RunStateMetrics>();
        builder.Services.AddWatchdog(builder.Configuration.GetConnectionString("RabbitMq"));
        builder.Services.AddProblems();
        builder.Services.AddOpenApi("v1", options => options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "Distributed";
            document.Info.Description = "Submit, watch, cancel, retry and delete runs that train a new head for a pretrained DenseNet.";
            return Task.CompletedTask;
        }));
        builder.Services.ConfigureHttpJsonOptions(options => ContractJson.Configure(options.SerializerOptions));
        consumers.AddSubmissions<SubmitRunConsumer>();
    }

    /// <summary>Maps the API and its description.</summary>
    public static void MapAdminApi(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseProblems();
        var api = app.MapGroup("/api/v1");
        api.MapRuns();
        api.MapDatasets();
        app.MapOpenApi();
        app.MapScalarApiReference("/docs", options => options
            .WithTitle("Distributed")
            .HideDeveloperTools()
            .HideClientButton()
            .DisableAgent()
            .DisableMcp()
            .DisableTelemetry()
            .DisableDefaultFonts());
        app.MapGet("/", () => TypedResults.Redirect("/docs")).ExcludeFromDescription();
    }
}
