using Distributed.Jobs;

namespace Distributed.Catalog;

/// <summary>The catalog can be used.</summary>
public sealed class CatalogCheck(CatalogMigration migration) : IHostCheck
{
    /// <inheritdoc />
    public string Name => "catalog";

    /// <inheritdoc />
    public async Task<HostCheckResult> CheckAsync(CancellationToken cancellationToken) =>
        await migration.FindPendingAsync(cancellationToken) is { } pending ? HostCheckResult.Waiting(pending) : HostCheckResult.Passed;
}
