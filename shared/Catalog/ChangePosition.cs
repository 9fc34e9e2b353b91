using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Distributed.Catalog;

/// <summary>Where a change stands among all changes of a catalog.</summary>
/// <param name="TransactionId">The transaction that made it.</param>
/// <param name="Id">The change.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ChangePosition(long TransactionId, long Id) : IComparable<ChangePosition>
{
    /// <summary>Whether one stands before another.</summary>
    public static bool operator <(ChangePosition left, ChangePosition right) => left.CompareTo(right) < 0;

    /// <summary>Whether one stands after another.</summary>
    public static bool operator >(ChangePosition left, ChangePosition right) => left.CompareTo(right) > 0;

    /// <summary>Whether one stands before another or is the same.</summary>
    public static bool operator <=(ChangePosition left, ChangePosition right) => left.CompareTo(right) <= 0;

    /// <summary>Whether one stands after another or is the same.</summary>
    public static bool operator >=(ChangePosition left, ChangePosition right) => left.CompareTo(right) >= 0;

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    /// <returns>False for any other text.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out ChangePosition position)
    {
        position = default;
        if (
            text?.Split('-') is not [var transaction, var id]
            || !long.TryParse(transaction, NumberStyles.None, CultureInfo.InvariantCulture, out var transactionId)
            || !long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var changeId)
        )
        {
            return false;
        }

        position = new ChangePosition(transactionId, changeId);
        return true;
    }

    /// <inheritdoc />
    public int CompareTo(ChangePosition other) =>
        TransactionId.CompareTo(other.TransactionId) is var order and not 0 ? order : Id.CompareTo(other.Id);

    /// <summary>As clients keep it: two numbers with a dash between them.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{TransactionId}-{Id}");
}
