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

    /// <summary>Why the last attempt failed; null where it did not.</summary>
    protected Failure? Failure { get; private set; }

    /// <summary>Does something with the API.</summary>
    /// <returns>Whether it was done; <see cref="Failure"/> says why not.</returns>
    protected async Task<bool> TryAsync(Func<DistributedClient, Task> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        try
        {
            IsOperator = (await Visitor.IdentifyAsync()).Role == "operator";
            await action(await Visitor.ConnectAsync());
            Failure = null;
        }
        catch (ApiException exception)
        {
            Failure = Failure.Of(exception);
        }
        catch (HttpRequestException exception)
        {
            Failure = Failure.Of(exception);
        }

        return Failure is null;
    }
}
