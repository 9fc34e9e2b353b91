using Distributed.Artifacts;
using Distributed.Contracts;
using Distributed.Datasets.Imaging;
using Distributed.Evaluation.Handlers;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Registry;
using Distributed.ServiceDefaults;
using Distributed.Serving;
using Distributed.Vision.Devices;
using Distributed.Vision.Weights;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Distributed.Evaluation;

/// <summary>The evaluation service: test metrics and reports.</summary>
public static class EvaluationModule
{
    /// <summary>Registers the service; also called by the one-process host.</summary>
    public static void AddEvaluation(this IHostApplicationBuilder builder, ConsumerSet consumers)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(consumers);
        builder.Services.TryAddSingleton(_ => new TensorThread());
        builder.Services.TryAddSingleton<DatasetArtifacts>();
        builder.Services.TryAddSingleton<FeatureArtifacts>();
        builder.Services.AddSingleton<IHostCheck, TensorCheck>();
        builder.Services.AddSingleton<DatasetAuditor>();
        builder.AddBackboneList();
        builder.Services.TryAddSingleton<BackboneLoader>();
        builder.Services.TryAddSingleton<ModelRegistry>();
        builder.Services.AddSingleton<EvidenceSource>();
        builder.Services.AddSingleton<Predictor>();
        builder.Services.AddSingleton<ModelExporter>();
        builder.Services.AddSingleton<DatasetPredictor>();
        builder.Services.AddSingleton(_ => IsolatedImageDecoding.Create());
        builder.Services.AddSingleton<ReportComposer>();
        builder.Services.AddSingleton(new PermanentError(typeof(WeightsException)));
        builder.Services.AddSingleton(new PermanentError(typeof(RegistryException)));
        consumers
            .AddJobs<EvaluateHeadHandler, EvaluateHead>()
            .AddJobs<PredictDatasetHandler, PredictDataset>()
            .AddRequests<PredictImagesHandler, PredictImages, ImagesPredicted>(RequestKind.PredictImages)
            .AddRequests<ExportModelHandler, ExportModel, ModelExported>(RequestKind.ExportModel)
            .AddRequests<MapFeaturesHandler, MapFeatures, FeaturesMapped>(RequestKind.MapFeatures);
    }
}
