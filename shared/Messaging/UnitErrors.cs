using Distributed.Storage;

namespace Distributed.Messaging;

/// <summary>An error type that no repetition can mend; a service registers those of its libraries.</summary>
/// <param name="Type">The exception's type.</param>
public sealed record PermanentError(Type Type);

/// <summary>Which errors fail a run at once: bad data, bad specifications, damaged files. Their messages go to the person who submitted the run.</summary>
public sealed class UnitErrors(IEnumerable<PermanentError> registered)
{
    private readonly HashSet<Type> _permanent = [typeof(StoredFileException), .. registered.Select(error => error.Type)];

    /// <summary>Whether the run fails at once.</summary>
    public bool IsPermanent(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return _permanent.Contains(exception.GetType());
    }
}
