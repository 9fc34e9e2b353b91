using Distributed.Evaluation;
using Distributed.ServiceDefaults;

await ServiceHost.RunAsync(args, "evaluation", defaultPort: 8083, (builder, consumers) => builder.AddEvaluation(consumers));
