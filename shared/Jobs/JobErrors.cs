namespace Distributed.Jobs;

/// <summary>An error type that no repetition can mend; a service registers those of its libraries.</summary>
/// <param name="Type">The exception's type.</param>
public sealed record PermanentError(Type Type);

/// <summary>How to recognise an error after which a process can do no work any more, such as that of a broken GPU; a service registers those of its libraries.</summary>
/// <param name="Matches">Whether an error is one.</param>
public sealed record WorkerError(Func<Exception, bool> Matches);

/// <summary>How to recognise that a system is away, which passes; each library that reaches one registers its own.</summary>
/// <param name="System">Its name in metrics, as in <c>database</c>.</param>
/// <param name="Matches">Whether an error says that it is away.</param>
public sealed record OutageError(string System, Func<Exception, bool> Matches);

/// <summary>What errors of a job mean for its run and for its worker.</summary>
public sealed class JobErrors(IEnumerable<PermanentError> permanent, IEnumerable<WorkerError> ofWorker, IEnumerable<OutageError> outages)
{
    private readonly HashSet<Type> _permanent = [.. permanent.Select(error => error.Type)];

    /// <summary>Whether the run fails at once: bad data, bad specifications, damaged files. The message goes to the person who submitted the run.</summary>
    public bool IsPermanent(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return _permanent.Contains(exception.GetType());
    }

    /// <summary>Whether the worker can do nothing any more, while the job is unharmed.</summary>
    public bool IsOfWorker(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return ofWorker.Any(error => error.Matches(exception));
    }

    /// <summary>The system that is away by an error; null where the error says no such thing.</summary>
    public string? OutageOf(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return outages.FirstOrDefault(outage => outage.Matches(exception))?.System;
    }
}
