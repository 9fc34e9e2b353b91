using System.CommandLine;
using Distributed.Catalog;

namespace Distributed.AdminApi.Commands;

/// <summary><c>migrate</c>: brings the catalog to this program's schema, and gives the hosts' own users what they need of it.</summary>
internal sealed class MigrateCommand : CatalogCommand
{
    /// <param name="configuration">Names the catalog, as the owner of its tables.</param>
    public MigrateCommand(IConfiguration configuration)
        : base(
            "migrate",
            "Bring the catalog to this program's schema, as the owner of its tables, for hosts with Catalog:Migrate=false",
            _ => configuration.GetConnectionString("Catalog")
        )
    {
        var apiRole = new Option<string?>("--api-role")
        {
            Description = "The database user of AdminApi: granted what it needs",
            HelpName = "ROLE",
        };
        var workerRole = new Option<string?>("--worker-role")
        {
            Description = "The database user of the other hosts: granted what they need",
            HelpName = "ROLE",
        };
        Add(apiRole);
        Add(workerRole);
        SetAction(
            this,
            async (services, result, cancellationToken) =>
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

                return await SucceedAsync("The catalog has this program's schema.");
            }
        );
    }
}
