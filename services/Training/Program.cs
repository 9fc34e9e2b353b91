using Distributed.ServiceDefaults;
using Distributed.Training;

return await ServiceHost.RunAsync(
    args,
    "training",
    defaultPort: 8082,
    TrainingModule.DescribeSettings,
    (builder, consumers) => builder.AddTraining(consumers)
);
