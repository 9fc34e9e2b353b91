using Distributed.AdminApi.Events;
using Distributed.AdminApi.Webhooks;
using Distributed.Datasets.Downloads;
using Distributed.Jobs;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi;

/// <summary>What goes on: events, webhooks, dead letters.</summary>
internal static class LiveModule
{
    public static void AddLive(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<EventFeed>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<EventFeed>());
        builder.Services.AddSingleton<IWatchdogTask, LiveUpkeep>();
        builder.Services.AddSingleton<JobRequeue>();
        builder.Services.AddOptions<WebhookOptions>().BindConfiguration(WebhookOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder
            .Services.AddHttpClient(WebhookSender.ClientName, client => client.Timeout = Timeout.InfiniteTimeSpan)
            .ConfigurePrimaryHttpMessageHandler(services => new GuardedHttpHandler(
                services.GetRequiredService<IOptions<WebhookOptions>>().Value.AllowPrivateAddresses,
                $"{WebhookOptions.Section}:{nameof(WebhookOptions.AllowPrivateAddresses)}"
            )
            {
                FollowsRedirects = false,
            });
        builder.Services.AddSingleton<WebhookStore>();
        builder.Services.AddSingleton<WebhookPlanner>();
        builder.Services.AddHostedService<WebhookSender>();
    }
}
