using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Access;

/// <summary>The keys of the catalog.</summary>
internal sealed class ApiKeyStore(IDbContextFactory<CatalogContext> contexts, TimeProvider time)
{
    // A row a minute, not a write a request.
    private static readonly TimeSpan UsePrecision = TimeSpan.FromMinutes(1);

    /// <summary>Creates a key.</summary>
    /// <returns>The key, which cannot be had again; null when a valid one has that name.</returns>
    public async Task<ApiKeyText?> CreateAsync(string name, ApiRole role, AuditActor actor, CancellationToken cancellationToken)
    {
        var key = ApiKeyText.Create();
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (await context.ApiKeys.AnyAsync(row => row.Name == name && row.RevokedAt == null, cancellationToken))
        {
            return null;
        }

        context.ApiKeys.Add(
            new ApiKey
            {
                Id = key.Id,
                Name = name,
                Role = role,
                SecretSha256 = key.SecretSha256,
                CreatedAt = Now(),
            }
        );
        context.Audit(actor, AuditAction.KeyCreated, name, Now(), role.ToString());
        await context.SaveChangesAsync(cancellationToken);
        return key;
    }

    /// <summary>All keys, revoked ones included, the latest last.</summary>
    public async Task<IReadOnlyList<ApiKey>> ListAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.ApiKeys.AsNoTracking().OrderBy(row => row.CreatedAt).ToListAsync(cancellationToken);
    }

    /// <summary>Revokes a key: the next request with it is refused.</summary>
    /// <returns>False when no valid key has that name.</returns>
    public async Task<bool> RevokeAsync(string name, AuditActor actor, CancellationToken cancellationToken)
    {
        var now = Now();
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (
            await context
                .ApiKeys.Where(row => row.Name == name && row.RevokedAt == null)
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.RevokedAt, now), cancellationToken) == 0
        )
        {
            return false;
        }

        context.Audit(actor, AuditAction.KeyRevoked, name, now);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>The row of a key that is presented; null when it opens nothing.</summary>
    public async Task<ApiKey?> FindAsync(ApiKeyText presented, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var key = await context.ApiKeys.AsNoTracking().SingleOrDefaultAsync(row => row.Id == presented.Id, cancellationToken);
        if (key is null || !presented.Matches(key.SecretSha256) || key.RevokedAt is not null)
        {
            return null;
        }

        var now = Now();
        if (key.LastUsedAt is null || key.LastUsedAt < now - UsePrecision)
        {
            await context
                .ApiKeys.Where(row => row.Id == key.Id)
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.LastUsedAt, now), cancellationToken);
        }

        return key;
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
