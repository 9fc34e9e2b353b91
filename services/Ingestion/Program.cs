using Distributed.Ingestion;
using Distributed.ServiceDefaults;

return await ServiceHost.RunAsync(
    args,
    "ingestion",
    defaultPort: 8081,
    IngestionModule.DescribeSettings,
    (builder, consumers) => builder.AddIngestion(consumers)
);
