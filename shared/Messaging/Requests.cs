using Distributed.Jobs;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>
/// A kind of request that a worker answers while its sender waits. Its queue keeps nothing: requests expire with their sender's patience, and where
/// too many wait, further ones are refused at once.
/// </summary>
/// <param name="Name">Name of the queue.</param>
/// <param name="Service">The service that answers.</param>
public sealed record RequestKind(string Name, string Service)
{
    /// <summary>Requests that may wait; a worker takes as many again.</summary>
    internal const int MostWaiting = 256;

    /// <summary>Requests that one worker answers at a time.</summary>
    internal const ushort MostAtOnce = 64;

    /// <summary>Predictions.</summary>
    public static RequestKind PredictImages { get; } = new("predict-images", "evaluation");

    /// <summary>Packages of models.</summary>
    public static RequestKind ExportModel { get; } = new("export-model", "evaluation");

    /// <summary>Maps of feature sets.</summary>
    public static RequestKind MapFeatures { get; } = new("map-features", "evaluation");

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<RequestKind> All { get; } = [PredictImages, ExportModel, MapFeatures];

    internal static Dictionary<string, object?> Arguments { get; } =
        new(StringComparer.Ordinal)
        {
            ["x-queue-type"] = "classic",
            ["x-max-length"] = MostWaiting,
            ["x-overflow"] = "reject-publish",
        };
}

/// <summary>Answers requests.</summary>
public interface IRequestHandler<in TRequest, TResponse>
    where TRequest : class
    where TResponse : class
{
    /// <summary>Answers one.</summary>
    /// <param name="request">The request.</param>
    /// <param name="isRedelivered">Whether a worker had it before, and may have died over it.</param>
    /// <param name="cancellationToken">Cancelled when the sender no longer waits, and when the host stops.</param>
    Task<TResponse> HandleAsync(TRequest request, bool isRedelivered, CancellationToken cancellationToken);
}

/// <summary>No worker can answer at the moment: none is there, or those that are have too much to do.</summary>
public sealed class RequestRefusedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Hands requests that MassTransit delivers to their handler, and the answer back.</summary>
internal sealed class RequestConsumer<TRequest, TResponse>(IRequestHandler<TRequest, TResponse> handler, TimeProvider time)
    : IConsumer<TRequest>
    where TRequest : class
    where TResponse : class
{
    public async Task Consume(ConsumeContext<TRequest> context)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        if (context.ExpirationTime is { } end)
        {
            var left = end - time.GetUtcNow().UtcDateTime;
            if (left <= TimeSpan.Zero)
            {
                return;
            }

            patience.CancelAfter(left);
        }

        try
        {
            var response = await handler.HandleAsync(context.Message, context.ReceiveContext.Redelivered, patience.Token);
            await context.RespondAsync(response);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            // Nobody waits for the answer any more.
        }
    }
}

/// <summary>Sends requests to workers, and waits for their answers.</summary>
public sealed class RequestSender(IBus bus, BusGate gate, WorkerPresence? presence = null)
{
    private readonly Lazy<IClientFactory> _clients = new(() => bus.CreateClientFactory());

    /// <summary>Why no request can be answered at the moment; null where nothing speaks against it.</summary>
    /// <param name="queue">Where to.</param>
    public string? FindObstacle(RequestKind queue)
    {
        ArgumentNullException.ThrowIfNull(queue);
        return !gate.Open.IsCompletedSuccessfully ? gate.Waiting ?? "The broker cannot be reached."
            : presence?.HasNoConsumer(queue.Name) == true ? $"No {queue.Service} worker is connected."
            : null;
    }

    /// <summary>Sends one.</summary>
    /// <param name="queue">Where to.</param>
    /// <param name="request">The request.</param>
    /// <param name="patience">How long to wait for the answer.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="RequestRefusedException">No worker can answer at the moment.</exception>
    /// <exception cref="TimeoutException">There was no answer in time.</exception>
    public async Task<TResponse> SendAsync<TRequest, TResponse>(
        RequestKind queue,
        TRequest request,
        TimeSpan patience,
        CancellationToken cancellationToken
    )
        where TRequest : class
        where TResponse : class
    {
        if (FindObstacle(queue) is { } obstacle)
        {
            throw new RequestRefusedException(obstacle);
        }

        var client = _clients.Value.CreateRequestClient<TRequest>(
            new Uri($"exchange:{queue.Name}"),
            RequestTimeout.After(ms: (int)patience.TotalMilliseconds)
        );
        try
        {
            var response = await client.GetResponse<TResponse>(
                request,
                pipe =>
                    pipe.UseExecute(context =>
                    {
                        context.TimeToLive = patience;
                        context.Durable = false;
                        if (context.TryGetPayload<RabbitMqSendContext>(out var rabbit))
                        {
                            rabbit.Mandatory = true;
                        }
                    }),
                cancellationToken
            );
            return response.Message;
        }
        catch (RequestTimeoutException exception)
        {
            throw new TimeoutException($"No worker has answered within {patience.TotalSeconds:0.#} s.", exception);
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            throw new RequestRefusedException("The workers have too much to do at the moment.", exception);
        }
        catch (Exception exception) when (BrokerOutage.Is(exception))
        {
            throw new RequestRefusedException("The broker cannot be reached.", exception);
        }
    }

    private static bool IsRefusal(Exception exception) =>
        exception is RabbitMQ.Client.Exceptions.PublishException or MessageNotAcknowledgedException or MessageReturnedException
        || (exception.InnerException is { } inner && IsRefusal(inner));
}
