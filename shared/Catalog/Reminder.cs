using System.Diagnostics.CodeAnalysis;

namespace Distributed.Catalog;

/// <summary>Decides when something that lasts is to be logged: when it begins, when its words change, and then every ten minutes.</summary>
/// <remarks>For one caller at a time.</remarks>
public sealed class Reminder(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    private string? _said;
    private long _saidAt;

    /// <summary>Whether the text is to be logged now.</summary>
    /// <param name="text">What lasts; null when it is over.</param>
    public bool IsDue([NotNullWhen(true)] string? text)
    {
        if (text is null)
        {
            _said = null;
            return false;
        }

        if (text == _said && time.GetElapsedTime(_saidAt) < Interval)
        {
            return false;
        }

        (_said, _saidAt) = (text, time.GetTimestamp());
        return true;
    }
}
