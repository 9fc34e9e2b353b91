using System.CommandLine;
using Distributed.AdminApi;
using Distributed.AdminApi.Commands;
using Distributed.ServiceDefaults;

if (args is ["keys" or "migrate", ..])
{
    var configuration = ServiceHost.CreateBuilder([], defaultPort: 8080).Configuration;
    return await new RootCommand("Distributed: commands on the catalog that ConnectionStrings:Catalog names.")
    {
        new KeysCommand(_ => configuration.GetConnectionString("Catalog")),
        new MigrateCommand(_ => configuration.GetConnectionString("Catalog")),
    }.Parse(args).InvokeAsync();
}

await ServiceHost.RunAsync(args, "admin-api", defaultPort: 8080, (builder, consumers) => builder.AddAdminApi(consumers), app => app.MapAdminApi());
return 0;
