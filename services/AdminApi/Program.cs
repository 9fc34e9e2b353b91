using Distributed.AdminApi;
using Distributed.ServiceDefaults;

await ServiceHost.RunAsync(args, "admin-api", defaultPort: 8080, (builder, consumers) => builder.AddAdminApi(consumers), app => app.MapAdminApi());
