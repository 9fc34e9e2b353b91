using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Webhooks;

/// <summary>Adds and removes webhooks.</summary>
internal sealed class WebhookStore(IDbContextFactory<CatalogContext> contexts, TimeProvider time)
{
    /// <summary>Most that there may be: each is told of every run.</summary>
    public const int MostWebhooks = 100;

    /// <summary>Adds a webhook, which is told what happens from now on.</summary>
    /// <returns>The webhook; null where there are too many.</returns>
    public async Task<Webhook?> CreateAsync(
        Uri url,
        IReadOnlyList<WebhookEvent> events,
        AuditActor actor,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var count = await context.Webhooks.CountAsync(cancellationToken);
        if (count >= MostWebhooks)
        {
            return null;
        }

        var now = time.GetUtcNow().UtcDateTime;
        var webhook = new Webhook
        {
            Id = Guid.CreateVersion7(),
            Url = url.AbsoluteUri,
            Events = [.. events.Distinct().Select(one => one.ToString())],
            Secret = WebhookSignature.CreateSecret(),
            CreatedAt = now,
            CreatedBy = actor.Name,
        };
        context.Webhooks.Add(webhook);
        if (
            !await context.WebhookCursors.AnyAsync(cancellationToken)
            && await context.SettledChanges().LatestAsync(cancellationToken) is { } latest
        )
        {
            context.WebhookCursors.Add(new WebhookCursor { TransactionId = latest.TransactionId, ChangeId = latest.Id });
        }

        context.Audit(actor, AuditAction.WebhookCreated, $"{webhook.Id:D}", now, HostOf(url));
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return webhook;
    }

    /// <summary>Removes a webhook; nothing is sent to it any more.</summary>
    /// <returns>False when there is none.</returns>
    public async Task<bool> DeleteAsync(Guid id, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (await context.Webhooks.AsNoTracking().SingleOrDefaultAsync(row => row.Id == id, cancellationToken) is not { } webhook)
        {
            return false;
        }

        await context.Webhooks.Where(row => row.Id == id).ExecuteDeleteAsync(cancellationToken);
        if (!await context.Webhooks.AnyAsync(cancellationToken))
        {
            // Without it nothing is planned, and no change is kept for it.
            await context.WebhookCursors.ExecuteDeleteAsync(cancellationToken);
        }

        context.Audit(actor, AuditAction.WebhookDeleted, $"{id:D}", time.GetUtcNow().UtcDateTime, HostOf(new Uri(webhook.Url)));
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>Paths and queries of such addresses are often secrets.</summary>
    private static string HostOf(Uri url) => $"{url.Scheme}://{url.Authority}";
}
