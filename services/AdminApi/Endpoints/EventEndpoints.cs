using Distributed.AdminApi.Events;
using Distributed.Catalog;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>What happens, as it happens.</summary>
internal static class EventEndpoints
{
    private const string Header = "Last-Event-ID";

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(10);

    public static void MapEvents(this IEndpointRouteBuilder api) =>
        api.MapRead("/events", ListenAsync)
            .WithTags("Events")
            .WithSummary("What happens to runs, trials, models and workers, as server-sent events")
            .WithDescription(
                "A stream that stays open. Each event has an id; a client that comes again with the last one, in the header Last-Event-ID or as after, goes on there. A client without one gets 'ready' first, and loads what it shows then; one whose events are not kept any more gets 'reset', and loads it again. run limits it to what concerns one run."
            )
            .Produces<string>(contentType: "text/event-stream")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
            .ProducesValidationProblem()
            // A stream of minutes is no slow request.
            .DisableHttpMetrics();

    private static async Task<Results<EventStream, ValidationProblem, ProblemHttpResult>> ListenAsync(
        EventFeed feed,
        IDbContextFactory<CatalogContext> contexts,
        HttpContext http,
        CancellationToken cancellationToken,
        [FromHeader(Name = Header)] string? lastEventId = null,
        [FromQuery] string? after = null,
        [FromQuery] Guid? run = null
    )
    {
        // A client that comes again to the address of its first request sends the later one in the header.
        var (name, text) = string.IsNullOrEmpty(lastEventId) ? ("after", after) : (Header, lastEventId);
        ChangePosition? position = null;
        if (text is not null)
        {
            if (!ChangePosition.TryParse(text, out var parsed))
            {
                return TypedResults.ValidationProblem(
                    new Dictionary<string, string[]>
                    {
                        [name] = ["is no id of an event; give one as it was received, such as 1234-56, or leave it out"],
                    }
                );
            }

            position = parsed;
        }

        if (feed.Listen(position) is not { } listener)
        {
            http.Response.Headers.RetryAfter = "10";
            return TypedResults.Problem(
                title: "Too many listen.",
                detail: $"{EventFeed.MostListeners} clients listen to this service already. Try again later, or share one stream among what runs in one place.",
                statusCode: StatusCodes.Status503ServiceUnavailable
            );
        }

        try
        {
            var start = await listener.StartAsync(cancellationToken).WaitAsync(StartTimeout, cancellationToken);
            HashSet<string>? scopes = [];
            if (run is { } runId)
            {
                // After the place is known: what the run joins later is an event.
                await using var context = await contexts.CreateDbContextAsync(cancellationToken);
                scopes = await EventStream.FindScopesAsync(context, runId, cancellationToken);
                if (scopes is null)
                {
                    listener.Dispose();
                    return TypedResults.Problem(
                        title: "There is no such run.",
                        detail: $"No run has the id {runId:D}.",
                        statusCode: StatusCodes.Status404NotFound
                    );
                }
            }

            return new EventStream(listener, start, run, scopes);
        }
        catch (TimeoutException)
        {
            listener.Dispose();
            return TypedResults.Problem(
                "The catalog's database cannot be reached at the moment. Try again later.",
                statusCode: StatusCodes.Status503ServiceUnavailable
            );
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }
}
