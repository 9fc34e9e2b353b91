using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Distributed.Catalog;
using Distributed.Datasets;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Webhooks;

/// <summary>
/// Sends deliveries, each at least once. The row decides who sends: a claim moves its next time ahead, so that a host that is killed
/// while it sends holds it up for a minute and no longer.
/// </summary>
internal sealed partial class WebhookSender(
    IDbContextFactory<CatalogContext> contexts,
    WebhookPlanner planner,
    CatalogMigration catalog,
    IHttpClientFactory clients,
    TimeProvider time,
    ILogger<WebhookSender> logger
) : BackgroundService
{
    /// <summary>Name of the client that sends.</summary>
    public const string ClientName = "webhooks";

    private const int MostAtOnce = 100;
    private const int SentInParallel = 8;
    private const int LongestAnswer = 500;
    private const double ClaimSeconds = 60;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(1);

    /// <summary>After so long without an answer that accepts it, a delivery is dead.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromDays(1);

    private readonly Reminder _reminder = new(time);

    /// <summary>Plans and sends what is due.</summary>
    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        if (!await planner.PlanAsync(cancellationToken))
        {
            return;
        }

        List<Guid> due;
        await using (var context = await contexts.CreateDbContextAsync(cancellationToken))
        {
            due = await context
                .WebhookDeliveries.Where(delivery => delivery.State == DeliveryState.Pending && delivery.NextAt <= DateTime.UtcNow)
                .OrderBy(delivery => delivery.NextAt)
                .Select(delivery => delivery.Id)
                .Take(MostAtOnce)
                .ToListAsync(cancellationToken);
        }

        await Parallel.ForEachAsync(
            due,
            new ParallelOptions { MaxDegreeOfParallelism = SentInParallel, CancellationToken = cancellationToken },
            async (id, token) => await SendAsync(id, token)
        );
    }

    /// <summary>How long to wait after so many attempts.</summary>
    internal static TimeSpan PauseAfter(int attempts) =>
        TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, FirstPause.TotalSeconds * Math.Pow(2, Math.Clamp(attempts - 1, 0, 30))));

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await catalog.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await RunOnceAsync(stoppingToken);
                _reminder.IsDue(null);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                if (_reminder.IsDue(exception.GetBaseException().Message))
                {
                    LogNotSent(exception);
                }
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task SendAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var row = context.WebhookDeliveries.Where(delivery => delivery.Id == id && delivery.State == DeliveryState.Pending);
        if (
            await row.Where(delivery => delivery.NextAt <= DateTime.UtcNow)
                .ExecuteUpdateAsync(
                    delivery =>
                        delivery
                            .SetProperty(d => d.NextAt, d => DateTime.UtcNow.AddSeconds(ClaimSeconds))
                            .SetProperty(d => d.Attempts, d => d.Attempts + 1),
                    cancellationToken
                ) == 0
            || await row.Join(
                    context.Webhooks,
                    delivery => delivery.WebhookId,
                    webhook => webhook.Id,
                    (delivery, webhook) => new { delivery, webhook }
                )
                .AsNoTracking()
                .SingleOrDefaultAsync(cancellationToken)
                is not { } found
        )
        {
            return;
        }

        var (status, answer) = await PostAsync(found.webhook, found.delivery, cancellationToken);
        var now = time.GetUtcNow().UtcDateTime;
        var state =
            status is >= 200 and < 300 ? DeliveryState.Delivered
            : now - found.delivery.CreatedAt >= Patience ? DeliveryState.Dead
            : DeliveryState.Pending;
        var pause = PauseAfter(found.delivery.Attempts).TotalSeconds;
        await row.ExecuteUpdateAsync(
            delivery =>
                delivery
                    .SetProperty(d => d.State, state)
                    .SetProperty(d => d.Status, status)
                    .SetProperty(d => d.Answer, answer)
                    .SetProperty(d => d.TriedAt, now)
                    .SetProperty(d => d.NextAt, d => DateTime.UtcNow.AddSeconds(pause)),
            cancellationToken
        );
        if (state == DeliveryState.Dead)
        {
            LogDead(id, found.webhook.Id, answer);
        }
    }

    private async Task<(int? Status, string Answer)> PostAsync(
        Webhook webhook,
        WebhookDelivery delivery,
        CancellationToken cancellationToken
    )
    {
        var (id, timestamp) = ($"{delivery.Id:D}", time.GetUtcNow().ToUnixTimeSeconds());
        using var request = new HttpRequestMessage(HttpMethod.Post, webhook.Url)
        {
            Content = new ByteArrayContent(Encoding.UTF8.GetBytes(delivery.Body))
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            },
        };
        request.Headers.Add(WebhookSignature.IdHeader, id);
        request.Headers.Add(WebhookSignature.TimestampHeader, timestamp.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add(WebhookSignature.SignatureHeader, WebhookSignature.Sign(webhook.Secret, id, timestamp, delivery.Body));
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(SendTimeout);
        try
        {
            using var client = clients.CreateClient(ClientName);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
            return ((int)response.StatusCode, await ReadBeginningAsync(response, timeout.Token));
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or DatasetException)
        {
            return (null, Shorten(exception.Message));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, $"There was no answer within {SendTimeout.TotalSeconds:F0} s.");
        }
    }

    private static async Task<string> ReadBeginningAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var bytes = new byte[LongestAnswer];
        var length = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        // Postgres keeps no zero characters.
        return Encoding.UTF8.GetString(bytes, 0, length).Replace("\0", "", StringComparison.Ordinal);
    }

    private static string Shorten(string text) => text.Length <= LongestAnswer ? text : text[..LongestAnswer];

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The delivery {Delivery} of the webhook {Webhook} was not accepted for a day: {Answer}"
    )]
    private partial void LogDead(Guid delivery, Guid webhook, string answer);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Webhooks could not be told what is new; they are when that is possible")]
    private partial void LogNotSent(Exception exception);
}
