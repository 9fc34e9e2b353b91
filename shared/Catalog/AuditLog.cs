namespace Distributed.Catalog;

/// <summary>Records who changed what. A change adds its entry to its own transaction, so that there is never one without the other.</summary>
public static class AuditLog
{
    /// <summary>Adds an entry to a context; it is written when the caller saves, and stands when the caller's transaction does.</summary>
    /// <param name="context">The context of the change.</param>
    /// <param name="actor">Who made it.</param>
    /// <param name="action">What was done.</param>
    /// <param name="subject">To what: a run's id (format D), or a key's name.</param>
    /// <param name="at">When (UTC).</param>
    /// <param name="detail">What a reader may want to know; never a secret.</param>
    public static void Audit(
        this CatalogContext context,
        AuditActor actor,
        AuditAction action,
        string subject,
        DateTime at,
        string? detail = null
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(actor);
        context.AuditLog.Add(
            new AuditEntry
            {
                Id = Guid.CreateVersion7(),
                At = at,
                ActorKind = actor.Kind,
                Actor = actor.Name,
                Action = action,
                Subject = subject,
                Detail = detail,
            }
        );
    }
}
