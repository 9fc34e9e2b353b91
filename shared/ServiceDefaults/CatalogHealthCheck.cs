using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Distributed.ServiceDefaults;

/// <summary>Ready when the catalog has this program's schema and answers.</summary>
internal sealed class CatalogHealthCheck(CatalogMigration migration, IDbContextFactory<CatalogContext> contexts) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!migration.Ready.IsCompletedSuccessfully)
        {
            return HealthCheckResult.Unhealthy(
                migration.Ready.Exception?.GetBaseException().Message
                    ?? migration.Waiting
                    ?? "The catalog is being migrated, or its database cannot be reached."
            );
        }

        await using var catalog = await contexts.CreateDbContextAsync(cancellationToken);
        // A pooled connection that a restart of the database broke says no, once.
        return await catalog.Database.CanConnectAsync(cancellationToken) || await catalog.Database.CanConnectAsync(cancellationToken)
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy("The catalog's database cannot be reached.");
    }
}
