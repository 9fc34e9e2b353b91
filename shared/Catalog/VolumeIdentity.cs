using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>What a host does where catalog and volume do not name each other yet.</summary>
public enum VolumeDuty
{
    /// <summary>Nothing: it waits for the host that begins volumes.</summary>
    Follow,

    /// <summary>Begins a volume where neither catalog nor folder has an id.</summary>
    Begin,

    /// <summary>The catalog takes the id of the folder, whatever either said before.</summary>
    Adopt,
}

/// <summary>How a host comes to its volume.</summary>
/// <param name="Duty">What it does where catalog and volume do not name each other yet.</param>
public sealed record VolumeOptions(VolumeDuty Duty = VolumeDuty.Follow);

/// <summary>
/// Compares the volume with the catalog, whose files it is to hold: both have its id. A volume is begun in an order that a
/// crash may cut anywhere: the folder gets a new id, then the catalog has it, then the folder's is no longer called new.
/// </summary>
public sealed class VolumeIdentity(IDbContextFactory<CatalogContext> contexts, Volume volume, TimeProvider time)
{
    private const long BeginningLock = 0x4469_7374_566f_6c75;

    /// <summary>Compares, having begun or adopted the volume where that is the duty. The catalog must have its schema.</summary>
    /// <returns>Null where the volume is the catalog's, which is then accepted; otherwise what is wrong and what to do.</returns>
    /// <exception cref="IOException">The volume cannot be read or marked.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not read or mark it.</exception>
    public async Task<string?> CheckAsync(VolumeDuty duty, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var complaint =
            duty == VolumeDuty.Follow
                ? Compare(await FindAsync(context, cancellationToken), volume.ReadMarker(), duty)
                : await BeginAsync(context, duty, cancellationToken);
        // What was the catalog's stays it: when it is mounted again, work goes on.
        if (complaint is not null && volume.Id is null)
        {
            volume.Refuse(complaint);
        }

        return complaint;
    }

    private static Task<Guid?> FindAsync(CatalogContext context, CancellationToken cancellationToken) =>
        context.Installation.AsNoTracking().Select(row => (Guid?)row.VolumeId).SingleOrDefaultAsync(cancellationToken);

    private async Task<string?> BeginAsync(CatalogContext context, VolumeDuty duty, CancellationToken cancellationToken)
    {
        await using (var transaction = await context.Database.BeginTransactionAsync(cancellationToken))
        {
            if (context.Database.IsNpgsql())
            {
                // Hosts that begin at once wait for each other; it ends with the transaction.
                await context.Database.ExecuteSqlAsync($"select pg_advisory_xact_lock({BeginningLock})", cancellationToken);
            }

            var id = await FindAsync(context, cancellationToken);
            var marker = volume.ReadMarker();
            var isNew = id is null && marker is null or { Id: null } or { IsNew: true };
            if (isNew || (duty == VolumeDuty.Adopt && id != marker?.Id))
            {
                var chosen = marker?.Id ?? Guid.NewGuid();
                volume.WriteMarker(new VolumeMarker(chosen, IsNew: true));
                if (id is not null)
                {
                    await context.Installation.ExecuteDeleteAsync(cancellationToken);
                }

                context.Installation.Add(new Installation { VolumeId = chosen, CreatedAt = time.GetUtcNow().UtcDateTime });
                await context.SaveChangesAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            }
        }

        var complaint = Compare(await FindAsync(context, cancellationToken), volume.ReadMarker(), duty);
        if (complaint is null && volume.ReadMarker() is { IsNew: true } begun)
        {
            volume.WriteMarker(begun with { IsNew = false });
        }

        return complaint;
    }

    private string? Compare(Guid? id, VolumeMarker? marker, VolumeDuty duty)
    {
        if (id is { } expected && marker?.Id == expected)
        {
            volume.Accept(expected);
            return null;
        }

        const string adopt = "To have this catalog use it all the same, stop the hosts and run AdminApi's command volume adopt.";
        return (id, marker) switch
        {
            (null, { Id: { } found, IsNew: false }) when duty != VolumeDuty.Follow =>
                $"The volume at {volume.Root} belongs to another catalog: its id is {found:D}, and this catalog has no volume yet. Mount an empty folder, or restore the catalog of this volume. {adopt}",
            (null, _) => "This catalog has no volume yet. AdminApi begins it when it starts; this host waits for it.",
            (_, null) when !Directory.Exists(volume.Root) =>
                $"The folder {volume.Root} does not exist. Mount the volume of this catalog there, whose id is {id:D}, or name its folder in Volume__Root.",
            (_, null) =>
                $"The folder {volume.Root} holds no volume: its file {Volume.Marker} is not there. Mount the volume of this catalog there, whose id is {id:D}, or name its folder in Volume__Root. {adopt}",
            (_, { Id: null }) =>
                $"The volume at {volume.Root} has no id, and this catalog's has the id {id:D}. Mount the right one, or name its folder in Volume__Root. {adopt}",
            (_, { Id: { } found }) =>
                $"The volume at {volume.Root} is not the one of this catalog: its id is {found:D}, the catalog's is {id:D}. Mount the right one, or name its folder in Volume__Root. {adopt}",
        };
    }
}
