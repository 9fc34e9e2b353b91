using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>The tables of what goes on: changes, workers, dead letters, webhooks.</summary>
internal static class LiveTables
{
    public static void Configure(ModelBuilder modelBuilder)
    {
        // Who listens reads on from a position.
        modelBuilder.Entity<Change>().HasIndex(change => new { change.TransactionId, change.Id }).IsUnique();
        modelBuilder.Entity<Worker>().HasKey(worker => worker.Name);
        modelBuilder.Entity<DeadLetter>().HasIndex(letter => letter.JobScope);
        modelBuilder.Entity<WebhookDelivery>(delivery =>
        {
            delivery.HasOne<Webhook>().WithMany().HasForeignKey(d => d.WebhookId).OnDelete(DeleteBehavior.Cascade);
            // The sender asks every few seconds what is due, of few among many.
            delivery.HasIndex(d => d.NextAt).HasFilter("state = 'Pending'");
        });
        modelBuilder.Entity<WebhookCursor>().Property(cursor => cursor.Id).ValueGeneratedNever();
    }
}
