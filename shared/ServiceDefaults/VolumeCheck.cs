using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Storage;

namespace Distributed.ServiceDefaults;

/// <summary>The volume is the one whose files the catalog names, and can be written.</summary>
internal sealed class VolumeCheck(CatalogMigration catalog, VolumeIdentity identity, Volume volume, VolumeOptions options) : IHostCheck
{
    public string Name => "volume";

    public async Task<HostCheckResult> CheckAsync(CancellationToken cancellationToken)
    {
        if (await catalog.FindPendingAsync(cancellationToken) is not null)
        {
            return HostCheckResult.Waiting("The volume is compared with the catalog when that can be used.");
        }

        try
        {
            if (await identity.CheckAsync(options.Duty, cancellationToken) is { } complaint)
            {
                return HostCheckResult.Waiting(complaint);
            }

            volume.Probe();
            return HostCheckResult.Passed;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return HostCheckResult.Waiting($"The volume {volume.Root} cannot be used: {exception.Message}");
        }
    }
}
