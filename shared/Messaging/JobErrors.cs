using Distributed.Storage;

namespace Distributed.Messaging;

/// <summary>An error type that no repetition can mend; a service registers those of its libraries.</summary>
/// <param name="Type">The exception's type.</param>
public sealed record PermanentError(Type Type);

/// <summary>What errors of a job mean for its run and for its worker.</summary>
public sealed class JobErrors(IEnumerable<PermanentError> permanent, IEnumerable<WorkerError> ofWorker)
{
    private readonly HashSet<Type> _permanent = [typeof(StoredFileException), .. permanent.Select(error => error.Type)];

    /// <summary>Whether the run fails at once: bad data, bad specifications, damaged files. The message goes to the person who submitted the run.</summary>
    public bool IsPermanent(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return _permanent.Contains(exception.GetType());
    }

    /// <summary>Whether the worker can do nothing any more, and the job is none the worse for it.</summary>
    public bool IsOfWorker(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return ofWorker.Any(error => error.Matches(exception));
    }
}
