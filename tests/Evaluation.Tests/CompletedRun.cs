using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Ingestion;
using Distributed.ServiceTests;
using Distributed.Training;

namespace Distributed.Evaluation.Tests;

/// <summary>All three services, and a run on a small sample that went through them.</summary>
public sealed class CompletedRun : IAsyncLifetime
{
    internal ServiceHarness Services { get; private set; } = null!;

    internal RunSpecification Specification { get; } =
        new()
        {
            Name = "Shapes & <figures>",
            Tags = ["nightly"],
            Backbone = "random",
            InputSize = 32,
            Precision = Precision.Fp32,
            TopK = 3,
            Training = new TrainingSpecification { Optimizer = HeadOptimizer.Adam, Epochs = 4 },
        };

    internal Run Run { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Services = await ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.AddIngestion(consumers);
                builder.AddTraining(consumers);
                builder.AddEvaluation(consumers);
            },
            ("Training:Device", "cpu"),
            ("Ingestion:SampleTrainImages", "100"),
            ("Ingestion:SampleTestImages", "120")
        );
        Run = await Services.RunAsync(Specification, RunState.Completed);
    }

    public ValueTask DisposeAsync() => Services.DisposeAsync();
}
