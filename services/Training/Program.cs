using Distributed.Training;
using Distributed.ServiceDefaults;

return await ServiceHost.RunAsync(args, "training", defaultPort: 8082, TrainingModule.DescribeSettings, (builder, consumers) => builder.AddTraining(consumers));
