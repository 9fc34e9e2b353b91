using Distributed.Training;
using Distributed.ServiceDefaults;

await ServiceHost.RunAsync(args, "training", defaultPort: 8082, (builder, consumers) => builder.AddTraining(consumers));
