using Distributed.Client;
using Microsoft.AspNetCore.Components;

namespace Distributed.Dashboard.Access;

/// <summary>A component that asks the API, and shows what it answers when it refuses or is away.</summary>
public abstract class ApiComponent : ComponentBase
{
    [Inject]
    internal Visitor Visitor { get; set; } = null!;

    /// <summary>Whether the visitor may change things; false until that is known.</summary>
    protected bool IsOperator { get; private set; }

    /// <summary>Why what was asked for last was not done; null where it was.</summary>
    protected Failure? Failure { get; private set; }

    /// <summary>Does something with the API.</summary>
    /// <returns>Whether it was done; <see cref="Failure"/> says why not.</returns>
    protected async Task<bool> TryAsync(Func<DistributedClient, Task> action) => (Failure = await AttemptAsync(action)) is null;

    /// <summary>Does something with the API, and says why it could not; null where it could.</summary>
    protected async Task<Failure?> AttemptAsync(Func<DistributedClient, Task> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        try
        {
            IsOperator = (await Visitor.IdentifyAsync()).Role == "operator";
            await action(await Visitor.ConnectAsync());
            return null;
        }
        catch (ApiException exception)
        {
            return Failure.Of(exception);
        }
        catch (HttpRequestException exception)
        {
            return Failure.Of(exception);
        }
    }
}
