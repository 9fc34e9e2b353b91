using Distributed.Storage;

namespace Distributed.Messaging;

/// <summary>Which errors no repetition can mend: bad data, bad specifications, damaged files.</summary>
public sealed class UnitErrors
{
    private readonly HashSet<Type> _permanent = [typeof(StoredFileException)];

    /// <summary>Declares an error type permanent; its message goes to the person who submitted the run.</summary>
    public UnitErrors AddPermanent<TException>()
        where TException : Exception
    {
        _permanent.Add(typeof(TException));
        return this;
    }

    /// <summary>Whether the run fails at once.</summary>
    public bool IsPermanent(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return _permanent.Contains(exception.GetType());
    }
}
