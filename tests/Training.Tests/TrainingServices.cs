using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Ingestion;
using Distributed.ServiceTests;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Training.Tests;

/// <summary>Ingestion and training, and specifications that are quick to run.</summary>
internal static class TrainingServices
{
    /// <summary>Two shards of features: at 64 pixels, a shard of 32 images of 96 pixels holds 64.</summary>
    public const int Shards = 2;

    public static Task<ServiceHarness> StartAsync(params (string Name, string Value)[] settings) =>
        ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.AddIngestion(consumers);
                builder.AddTraining(consumers);
            },
            [("Training:Device", "cpu"), ("Training:Threads", "1"), ("Training:ShardImages", "32"), .. settings]
        );

    /// <summary>A run on 72 pictures of three classes.</summary>
    public static RunSpecification Specify(ServiceHarness services)
    {
        var folder = services.Data("pets");
        if (!Directory.Exists(folder))
        {
            services.WritePictures("pets", classes: 3, imagesAClass: 24);
        }

        return new RunSpecification
        {
            Dataset = folder,
            InputSize = 64,
            Precision = Precision.Fp32,
            Training = new TrainingSpecification
            {
                Optimizer = HeadOptimizer.Adam,
                Epochs = 3,
                BatchSize = 16,
            },
        };
    }

    public static Task<Run> TrainAsync(this ServiceHarness services, RunSpecification specification) =>
        services.RunAsync(specification, RunState.Evaluating);

    public static Task<List<FeatureShard>> ShardsAsync(this ServiceHarness services) =>
        services.QueryAsync(context =>
            context.FeatureShards.AsNoTracking().OrderBy(shard => shard.FeatureSetKey).ThenBy(shard => shard.Shard).ToListAsync()
        );

    public static Task<List<FeatureSet>> SetsAsync(this ServiceHarness services) =>
        services.QueryAsync(context => context.FeatureSets.AsNoTracking().OrderBy(set => set.CreatedAt).ToListAsync());

    public static Task<List<Checkpoint>> CheckpointsAsync(this ServiceHarness services, Run run, CheckpointKind kind) =>
        services.QueryAsync(context =>
            context.Checkpoints.AsNoTracking().Where(row => row.RunId == run.Id && row.Kind == kind).OrderBy(row => row.Slice).ToListAsync()
        );

    public static async Task<string> HeadAsync(this ServiceHarness services, Run run) =>
        (await services.CheckpointsAsync(run, CheckpointKind.Best))[^1].File.Sha256;
}
