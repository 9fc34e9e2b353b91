using System.CommandLine;
using Distributed.Catalog;
using Distributed.Storage;

namespace Distributed.AdminApi.Commands;

/// <summary><c>migrate</c>: brings the catalog to this program's schema, and gives the hosts' own users what they need of it.</summary>
internal sealed class MigrateCommand : CatalogCommand
{
    /// <param name="configuration">Names the catalog, as the owner of its tables, and the volume where that is to be begun too.</param>
    public MigrateCommand(IConfiguration configuration)
        : base(
            "migrate",
            "Bring the catalog to this program's schema, as the owner of its tables, for hosts with Catalog:Migrate=false. Where Volume:Root is set, also begin the volume",
            _ => configuration.GetConnectionString("Catalog"))
    {
        var apiRole = new Option<string?>("--api-role") { Description = "The database user of AdminApi: granted what it needs", HelpName = "ROLE" };
        var workerRole = new Option<string?>("--worker-role") { Description = "The database user of the other hosts: granted what they need", HelpName = "ROLE" };
        Add(apiRole);
        Add(workerRole);
        SetAction(this, async (services, result, cancellationToken) =>
        {
            await using var context = await OpenAsync(services, cancellationToken);
            await CatalogMigration.MigrateAsync(context, cancellationToken);
            switch (result.GetValue(apiRole), result.GetValue(workerRole))
            {
                case (null, null):
                    break;
                case ({ } api, { } worker):
                    await CatalogGrants.ApplyAsync(context, api, worker, cancellationToken);
                    break;
                default:
                    return await FailAsync("Give both --api-role and --worker-role, or neither.");
            }

            if (configuration["Volume:Root"] is { Length: > 0 } root
                && await VolumeCommand.CheckAsync(services, new Volume(root), VolumeDuty.Begin, cancellationToken) is { } complaint)
            {
                return await FailAsync(complaint);
            }

            return await SucceedAsync("The catalog has this program's schema.");
        });
    }
}
