using System.Text.Json;
using System.Text.Json.Nodes;
using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Webhooks;

/// <summary>
/// Makes deliveries of changes. It goes on from a place in the catalog, and moves that in the transaction that adds the deliveries: so
/// each change is planned once, whichever host does it and whenever it is killed.
/// </summary>
internal sealed class WebhookPlanner(IDbContextFactory<CatalogContext> contexts, TimeProvider time)
{
    private const int MostAtOnce = 1000;

    /// <summary>Plans what is new.</summary>
    /// <returns>False where there is no webhook.</returns>
    public async Task<bool> PlanAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var cursor = await context.WebhookCursors.AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        if (cursor is null)
        {
            return false;
        }

        var from = new ChangePosition(cursor.TransactionId, cursor.ChangeId);
        if (await context.SettledChanges().LatestAsync(cancellationToken) is not { } latest || latest == from)
        {
            return true;
        }

        // A catalog that was restored into another server has its latest change before the place.
        var found =
            latest < from
                ? []
                : await context
                    .SettledChanges()
                    .After(from)
                    .Where(change => change.Kind == "run" || change.Kind == "model")
                    .OrderBy(change => change.TransactionId)
                    .ThenBy(change => change.Id)
                    .Take(MostAtOnce)
                    .ToListAsync(cancellationToken);
        var to = found.Count == MostAtOnce ? new ChangePosition(found[^1].TransactionId, found[^1].Id) : latest;
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (
            await context
                .WebhookCursors.Where(row => row.TransactionId == from.TransactionId && row.ChangeId == from.Id)
                .ExecuteUpdateAsync(
                    row => row.SetProperty(r => r.TransactionId, to.TransactionId).SetProperty(r => r.ChangeId, to.Id),
                    cancellationToken
                ) == 0
        )
        {
            // Another host was faster.
            return true;
        }

        var webhooks = await context.Webhooks.AsNoTracking().ToListAsync(cancellationToken);
        foreach (var change in found)
        {
            await PlanAsync(context, webhooks, change, cancellationToken);
        }

        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    private async Task PlanAsync(
        CatalogContext context,
        IReadOnlyList<Webhook> webhooks,
        Change change,
        CancellationToken cancellationToken
    )
    {
        var fields = JsonNode.Parse(change.Data)!.AsObject();
        if (EventOf(change.Kind, fields) is not { } what)
        {
            return;
        }

        var name = JsonNamingPolicy.CamelCase.ConvertName(what.ToString());
        foreach (var webhook in webhooks.Where(webhook => webhook.Events.Contains(what.ToString(), StringComparer.Ordinal)))
        {
            var id = Guid.CreateVersion7();
            var body = new JsonObject
            {
                ["id"] = $"{id:D}",
                ["event"] = name,
                ["at"] = JsonValue.Create(change.At),
            };
            if (change.RunId is { } runId)
            {
                body["runId"] = runId;
            }

            foreach (
                var (field, value) in fields.Where(field => field.Value is not null && !(change.Kind == "run" && field.Key == "change"))
            )
            {
                body[field] = value!.DeepClone();
            }

            if (what == WebhookEvent.Completed)
            {
                await AddResultAsync(context, Guid.Parse(change.RunId!, null), body, cancellationToken);
            }

            var now = time.GetUtcNow().UtcDateTime;
            context.WebhookDeliveries.Add(
                new WebhookDelivery
                {
                    Id = id,
                    WebhookId = webhook.Id,
                    Event = what,
                    Body = body.ToJsonString(),
                    CreatedAt = now,
                    NextAt = now,
                }
            );
        }
    }

    private static WebhookEvent? EventOf(string kind, JsonObject fields) =>
        (kind, (string?)fields["change"], (string?)fields["state"]) switch
        {
            ("run", "moved", "completed") => WebhookEvent.Completed,
            ("run", "moved" or "submitted", "failed") => WebhookEvent.Failed,
            ("model", "promoted" or "rolledBack", _) => WebhookEvent.Promoted,
            _ => null,
        };

    private static async Task AddResultAsync(CatalogContext context, Guid runId, JsonObject body, CancellationToken cancellationToken)
    {
        var result = await context
            .Evaluations.Where(row => row.RunId == runId)
            .Select(row => new
            {
                row.TestAccuracy,
                row.TestAccuracyLow,
                row.TestAccuracyHigh,
                row.TestImages,
            })
            .SingleOrDefaultAsync(cancellationToken);
        if (result is not null)
        {
            body["testAccuracy"] = result.TestAccuracy;
            body["testAccuracyLow"] = result.TestAccuracyLow;
            body["testAccuracyHigh"] = result.TestAccuracyHigh;
            body["testImages"] = result.TestImages;
        }
    }
}
