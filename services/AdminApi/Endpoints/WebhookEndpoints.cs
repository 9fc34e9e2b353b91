using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Security.Claims;
using Distributed.AdminApi.Access;
using Distributed.AdminApi.Webhooks;
using Distributed.Catalog;
using Distributed.Datasets.Downloads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Addresses that are told what happens.</summary>
internal static class WebhookEndpoints
{
    private const int MostPerPage = 500;
    private const int LongestUrl = 2000;

    public static void MapWebhooks(this IEndpointRouteBuilder api)
    {
        var webhooks = api.MapGroup("/webhooks").WithTags("Webhooks").RequireAuthorization(ApiAccess.OperatorPolicy);
        webhooks
            .MapPost("", CreateAsync)
            .WithSummary("Add a webhook")
            .WithDescription(
                "It is told of each event from now on by a POST with a JSON body, signed as Standard Webhooks says, with the secret that is in this answer and in no other."
            )
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status409Conflict);
        webhooks.MapRead("", ListAsync).WithSummary("The webhooks, each with its last attempt");
        webhooks
            .MapDelete("{id:guid}", DeleteAsync)
            .WithSummary("Remove a webhook")
            .WithDescription("What was still to be sent to it goes with it.")
            .ProducesProblem(StatusCodes.Status404NotFound);
        webhooks
            .MapRead("{id:guid}/deliveries", ListDeliveriesAsync)
            .WithSummary("What a webhook was told, the latest first, with the last answer and the number of attempts")
            .WithDescription("Those that were delivered or are dead are kept for 7 days. state limits them to one state.")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesValidationProblem();
    }

    private static async Task<Results<Created<CreatedWebhook>, ValidationProblem, ProblemHttpResult>> CreateAsync(
        [FromBody] NewWebhook body,
        WebhookStore store,
        IOptions<WebhookOptions> options,
        ClaimsPrincipal user,
        HttpContext http,
        CancellationToken cancellationToken
    )
    {
        http.LeaveUncompressed();
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (FindError(body.Url, options.Value.AllowPrivateAddresses, out var url) is { } wrong)
        {
            errors["url"] = [wrong];
        }

        if (body.Events is [])
        {
            errors["events"] = ["is empty; give some of completed, failed and promoted, or leave it out for all of them"];
        }

        if (errors.Count > 0)
        {
            return TypedResults.ValidationProblem(errors);
        }

        return await store.CreateAsync(url!, body.Events ?? Enum.GetValues<WebhookEvent>(), user.Actor(), cancellationToken) is { } webhook
            ? TypedResults.Created(
                (string?)null,
                new CreatedWebhook(
                    webhook.Id,
                    webhook.Url,
                    EventsOf(webhook),
                    webhook.CreatedAt,
                    webhook.CreatedBy,
                    WebhookSignature.Reveal(webhook.Secret)
                )
            )
            : TypedResults.Problem(
                title: "There are too many webhooks.",
                detail: $"There are {WebhookStore.MostWebhooks}, as many as there may be; remove one first.",
                statusCode: StatusCodes.Status409Conflict
            );
    }

    private static async Task<Ok<WebhookList>> ListAsync(IDbContextFactory<CatalogContext> contexts, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var webhooks = await context.Webhooks.AsNoTracking().OrderBy(webhook => webhook.Id).ToListAsync(cancellationToken);
        var counts = await context
            .WebhookDeliveries.GroupBy(delivery => new { delivery.WebhookId, delivery.State })
            .Select(group => new
            {
                group.Key.WebhookId,
                group.Key.State,
                Count = group.Count(),
            })
            .ToListAsync(cancellationToken);
        var items = new List<WebhookDetail>();
        foreach (var webhook in webhooks)
        {
            var last = await context
                .WebhookDeliveries.AsNoTracking()
                .Where(delivery => delivery.WebhookId == webhook.Id && delivery.TriedAt != null)
                .OrderByDescending(delivery => delivery.TriedAt)
                .FirstOrDefaultAsync(cancellationToken);
            items.Add(
                new WebhookDetail(
                    webhook.Id,
                    webhook.Url,
                    EventsOf(webhook),
                    webhook.CreatedAt,
                    webhook.CreatedBy,
                    Count(webhook, DeliveryState.Pending),
                    Count(webhook, DeliveryState.Delivered),
                    Count(webhook, DeliveryState.Dead),
                    last is null ? null : DeliveryDetail.Of(last)
                )
            );
        }

        return TypedResults.Ok(new WebhookList(items));

        int Count(Webhook webhook, DeliveryState state) =>
            counts.Find(count => count.WebhookId == webhook.Id && count.State == state)?.Count ?? 0;
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        Guid id,
        WebhookStore store,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    ) => await store.DeleteAsync(id, user.Actor(), cancellationToken) ? TypedResults.NoContent() : Unknown(id);

    private static async Task<Results<Ok<DeliveryPage>, ValidationProblem, ProblemHttpResult>> ListDeliveriesAsync(
        Guid id,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken,
        [FromQuery, EnumDataType(typeof(DeliveryState))] string? state = null,
        [FromQuery] Guid? after = null,
        [FromQuery, Range(1, MostPerPage)] int limit = 50
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (!await context.Webhooks.AnyAsync(webhook => webhook.Id == id, cancellationToken))
        {
            return Unknown(id);
        }

        var deliveries = context.WebhookDeliveries.AsNoTracking().Where(delivery => delivery.WebhookId == id);
        if (state is not null)
        {
            var wanted = Enum.Parse<DeliveryState>(state, ignoreCase: true);
            deliveries = deliveries.Where(delivery => delivery.State == wanted);
        }

        if (after is { } last)
        {
            deliveries = deliveries.Where(delivery => delivery.Id < last);
        }

        var page = await deliveries.OrderByDescending(delivery => delivery.Id).Take(limit + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(
            new DeliveryPage([.. page.Take(limit).Select(DeliveryDetail.Of)], page.Count > limit ? page[limit - 1].Id : null)
        );
    }

    private static string? FindError(string? text, bool allowsPrivate, out Uri? url) =>
        !Uri.TryCreate(text, UriKind.Absolute, out url) || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps)
            ? "is no http or https address; give one such as https://example.org/hooks/distributed"
        : url.AbsoluteUri.Length > LongestUrl ? $"has {url.AbsoluteUri.Length} characters; at most {LongestUrl} are allowed"
        : url.UserInfo.Length > 0 ? "names a user or a password, which are not sent; leave them out, and check the signature instead"
        : !allowsPrivate
        && (url.IsLoopback || (IPAddress.TryParse(url.DnsSafeHost, out var address) && !GuardedHttpHandler.IsPublic(address)))
            ? $"is an address of this machine or its network; allow such addresses by {WebhookOptions.Section}__{nameof(WebhookOptions.AllowPrivateAddresses)}=true"
        : null;

    private static IReadOnlyList<WebhookEvent> EventsOf(Webhook webhook) => [.. webhook.Events.Select(Enum.Parse<WebhookEvent>)];

    private static ProblemHttpResult Unknown(Guid id) =>
        TypedResults.Problem(
            title: "There is no such webhook.",
            detail: $"No webhook has the id {id:D}; GET /api/v1/webhooks lists them.",
            statusCode: StatusCodes.Status404NotFound
        );

    /// <summary>A webhook to add.</summary>
    /// <param name="Url">Its address (http or https).</param>
    /// <param name="Events">What it is told; everything where it is left out.</param>
    internal sealed record NewWebhook(string? Url, IReadOnlyList<WebhookEvent>? Events = null);

    /// <summary>A webhook that was added.</summary>
    /// <param name="Id">Identity.</param>
    /// <param name="Url">Its address.</param>
    /// <param name="Events">What it is told.</param>
    /// <param name="CreatedAt">When it was added (UTC).</param>
    /// <param name="CreatedBy">Who added it.</param>
    /// <param name="Secret">The key of its signatures. It is shown here and never again.</param>
    internal sealed record CreatedWebhook(
        Guid Id,
        string Url,
        IReadOnlyList<WebhookEvent> Events,
        DateTime CreatedAt,
        string CreatedBy,
        string Secret
    );

    /// <summary>The webhooks.</summary>
    /// <param name="Items">The oldest first.</param>
    internal sealed record WebhookList(IReadOnlyList<WebhookDetail> Items);

    /// <summary>A webhook.</summary>
    /// <param name="Id">Identity.</param>
    /// <param name="Url">Its address.</param>
    /// <param name="Events">What it is told.</param>
    /// <param name="CreatedAt">When it was added (UTC).</param>
    /// <param name="CreatedBy">Who added it.</param>
    /// <param name="Pending">Deliveries that are still to be accepted.</param>
    /// <param name="Delivered">Deliveries of the last 7 days that were accepted.</param>
    /// <param name="Dead">Deliveries of the last 7 days that were not accepted for a day.</param>
    /// <param name="Last">The delivery that was tried last; null before the first.</param>
    internal sealed record WebhookDetail(
        Guid Id,
        string Url,
        IReadOnlyList<WebhookEvent> Events,
        DateTime CreatedAt,
        string CreatedBy,
        int Pending,
        int Delivered,
        int Dead,
        DeliveryDetail? Last
    );

    /// <summary>Some of the deliveries.</summary>
    /// <param name="Items">The latest first.</param>
    /// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
    internal sealed record DeliveryPage(IReadOnlyList<DeliveryDetail> Items, Guid? Next);

    /// <summary>A delivery.</summary>
    /// <param name="Id">Identity, which its receiver sees as webhook-id.</param>
    /// <param name="Event">What it tells.</param>
    /// <param name="State">Where it is.</param>
    /// <param name="CreatedAt">When it was planned (UTC).</param>
    /// <param name="Attempts">Attempts so far.</param>
    /// <param name="TriedAt">When it was tried last (UTC).</param>
    /// <param name="NextAt">When it is tried next (UTC); null where it is not.</param>
    /// <param name="Status">The HTTP status of the last answer; null where there was none.</param>
    /// <param name="Answer">The beginning of the last answer, or why there was none.</param>
    /// <param name="Body">What is sent.</param>
    internal sealed record DeliveryDetail(
        Guid Id,
        WebhookEvent Event,
        DeliveryState State,
        DateTime CreatedAt,
        int Attempts,
        DateTime? TriedAt,
        DateTime? NextAt,
        int? Status,
        string? Answer,
        string Body
    )
    {
        public static DeliveryDetail Of(WebhookDelivery delivery) =>
            new(
                delivery.Id,
                delivery.Event,
                delivery.State,
                delivery.CreatedAt,
                delivery.Attempts,
                delivery.TriedAt,
                delivery.State == DeliveryState.Pending ? delivery.NextAt : null,
                delivery.Status,
                delivery.Answer,
                delivery.Body
            );
    }
}
