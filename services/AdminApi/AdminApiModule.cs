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
        builder.Services.AddSingleton<RunQueries>();
        builder.Services.AddHostedService<RunStateMetrics>();
        builder.Services.AddWatchdog();
        builder.Services.AddProblems();
        builder.Services.AddOpenApi("v1");
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
        app.MapScalarApiReference("/docs", options => options.WithTitle("Distributed"));
        app.MapGet("/", () => TypedResults.Redirect("/docs")).ExcludeFromDescription();
    }
}
