using Distributed.Ingestion;
using Distributed.ServiceDefaults;

await ServiceHost.RunAsync(args, "ingestion", defaultPort: 8081, (builder, consumers) => builder.AddIngestion(consumers));
