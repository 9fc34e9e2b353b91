using Distributed.Evaluation;
using Distributed.ServiceDefaults;

return await ServiceHost.RunAsync(
    args,
    "evaluation",
    defaultPort: 8083,
    _ => { },
    (builder, consumers) => builder.AddEvaluation(consumers)
);
