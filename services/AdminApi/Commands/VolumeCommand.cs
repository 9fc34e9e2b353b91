using System.CommandLine;
using Distributed.Catalog;
using Distributed.ServiceDefaults;
using Distributed.Storage;

namespace Distributed.AdminApi.Commands;

/// <summary><c>volume adopt</c>: makes the volume at <c>Volume:Root</c> the catalog's, for who knows that it is.</summary>
internal sealed class VolumeCommand : CatalogCommand
{
    /// <param name="configuration">Names catalog and volume.</param>
    public VolumeCommand(IConfiguration configuration)
        : base("volume", "Decide which volume is the catalog's", _ => configuration.GetConnectionString("Catalog"))
    {
        var adopt = new Command(
            "adopt",
            "Make the volume at Volume:Root the catalog's, whichever was before; no host may run meanwhile. Files that are not on it count as missing"
        );
        SetAction(
            adopt,
            async (services, _, cancellationToken) =>
            {
                if (configuration["Volume:Root"] is not { Length: > 0 } root)
                {
                    await FailAsync("Volume__Root is not set; give the directory that all hosts share.");
                    return ServiceHost.MisconfiguredStatus;
                }

                await using (var context = await OpenAsync(services, cancellationToken))
                {
                    if (!await CatalogMigration.IsCurrentAsync(context, cancellationToken))
                    {
                        return await FailAsync("The catalog does not have this program's schema yet. Run the command migrate first.");
                    }
                }

                var volume = new Volume(root);
                return await CheckAsync(services, volume, VolumeDuty.Adopt, cancellationToken) is { } complaint
                    ? await FailAsync(complaint)
                    : await SucceedAsync($"The volume {volume.Root} with the id {volume.Id:D} is the catalog's.");
            }
        );
        Add(adopt);
    }

    /// <summary>Compares a volume with the catalog of a command.</summary>
    /// <returns>What is wrong and what to do; null where it is the catalog's.</returns>
    public static Task<string?> CheckAsync(
        IServiceProvider services,
        Volume volume,
        VolumeDuty duty,
        CancellationToken cancellationToken
    ) => ActivatorUtilities.CreateInstance<VolumeIdentity>(services, volume).CheckAsync(duty, cancellationToken);
}
