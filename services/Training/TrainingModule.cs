using Distributed.Artifacts;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Sources;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Registry;
using Distributed.ServiceDefaults;
using Distributed.Serving;
using Distributed.Training.Handlers;
using Distributed.Vision.Devices;
using Distributed.Vision.Heads;
using Distributed.Vision.Weights;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Distributed.Training;

/// <summary>The training service: plans and computes features, trains heads.</summary>
public static class TrainingModule
{
    /// <summary>Describes the settings of the service.</summary>
    public static void DescribeSettings(HostSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        settings.AddOptions<TrainingOptions>(TrainingOptions.Section);
    }

    /// <summary>
    /// Measures the speed of extraction for a run while its images are still coming in, where they do so in the same process. The
    /// run's plan measures otherwise.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="specification">The run's specification.</param>
    /// <param name="cancellationToken">Ends the measurement.</param>
    public static Task WarmUpAsync(IServiceProvider services, RunSpecification specification, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(specification);
        return services.GetRequiredService<ExtractionWarmUp>().RunAsync(specification, cancellationToken);
    }

    /// <summary>Registers the service; also called by the one-process host.</summary>
    public static void AddTraining(this IHostApplicationBuilder builder, ConsumerSet consumers)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(consumers);
        builder
            .Services.AddOptions<TrainingOptions>()
            .BindConfiguration(TrainingOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.TryAddSingleton(provider => new TensorThread(
            provider.GetRequiredService<IOptions<TrainingOptions>>().Value.Threads
        ));
        builder.Services.TryAddSingleton<DatasetArtifacts>();
        builder.Services.TryAddSingleton<FeatureArtifacts>();
        builder.AddDataRootsCheck();
        builder.Services.TryAddSingleton(_ => new DataRoots(builder.Configuration.GetSection("Data:Roots").Get<string[]>() ?? []));
        builder.Services.AddSingleton<TensorDevice>();
        builder.Services.AddSingleton<IHostCheck>(provider => provider.GetRequiredService<TensorDevice>());
        builder.Services.AddSingleton<GpuMetrics>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<GpuMetrics>());
        builder.Services.AddSingleton<IWorkerDevice, TrainingDevice>();
        builder.AddBackboneList();
        builder.Services.TryAddSingleton<BackboneLoader>();
        builder.Services.AddSingleton<BackboneStore>();
        builder.Services.AddSingleton<AutotuningCache>();
        builder.Services.AddSingleton<FeaturePlanner>();
        builder.Services.AddSingleton<ExtractionWarmUp>();
        builder.Services.AddSingleton<ShardExtractor>();
        builder.Services.AddSingleton<HeadData>();
        builder.Services.AddSingleton(new PermanentError(typeof(DatasetException)));
        builder.Services.AddSingleton(new PermanentError(typeof(WeightsException)));
        builder.Services.AddSingleton(new PermanentError(typeof(RegistryException)));
        builder.Services.AddSingleton(new PermanentError(typeof(HeadTrainingException)));
        builder.Services.AddSingleton(new WorkerError(DeviceErrors.IsFailure));
        consumers
            .AddJobs<PlanFeaturesHandler, PlanFeatures>()
            .AddJobs<ExtractFeaturesHandler, ExtractFeatures>()
            .AddJobs<TrainHeadHandler, TrainHead>();
    }
}
