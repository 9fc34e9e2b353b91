using System.CommandLine;
using System.CommandLine.Invocation;
using Distributed.AdminApi;
using Distributed.AdminApi.Commands;
using Distributed.ServiceDefaults;

if (args is ["keys" or "migrate" or "volume" or "broker-users", ..])
{
    var stop = StopSignals.Listen();
    var configuration = ServiceHost.CreateBuilder([], defaultPort: 8080).Configuration;
    return await new RootCommand("Distributed: commands on the catalog and the broker that the settings name.")
    {
        new KeysCommand(_ => configuration.GetConnectionString("Catalog")),
        new MigrateCommand(configuration),
        new VolumeCommand(configuration),
        new BrokerUsersCommand(configuration),
    }
        .Parse(args)
        .InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }, stop);
}

return await ServiceHost.RunAsync(
    args,
    "admin-api",
    defaultPort: 8080,
    AdminApiModule.DescribeSettings,
    (builder, consumers) => builder.AddAdminApi(consumers),
    app => app.MapAdminApi(),
    commands: "keys, migrate, volume and broker-users; 'COMMAND --help' tells what each does"
);
