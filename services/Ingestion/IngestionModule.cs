using Distributed.Artifacts;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Downloads;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Ingestion.Handlers;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Distributed.Ingestion;

/// <summary>The ingestion service: fetches, verifies, decodes and packs data sets.</summary>
public static class IngestionModule
{
    /// <summary>Describes the settings of the service.</summary>
    public static void DescribeSettings(HostSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        settings.AddOptions<IngestionOptions>(IngestionOptions.Section);
    }

    /// <summary>Registers the service; also called by the one-process host.</summary>
    public static void AddIngestion(this IHostApplicationBuilder builder, ConsumerSet consumers)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(consumers);
        builder
            .Services.AddOptions<IngestionOptions>()
            .BindConfiguration(IngestionOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder
            .Services.AddHttpClient(DownloadFileHandler.ClientName, client => client.Timeout = Timeout.InfiniteTimeSpan)
            .ConfigurePrimaryHttpMessageHandler(services => new GuardedHttpHandler(
                services.GetRequiredService<IOptions<IngestionOptions>>().Value.AllowPrivateAddresses,
                $"{IngestionOptions.Section}:{nameof(IngestionOptions.AllowPrivateAddresses)}"
            ));
        builder.AddBackboneList();
        builder.Services.AddSingleton<DownloadSources>();
        builder.Services.AddSingleton<SourceLocator>();
        builder.Services.TryAddSingleton<DatasetArtifacts>();
        builder.Services.TryAddSingleton(ImageDecodings.Default);
        builder.AddDataRootsCheck();
        builder.Services.TryAddSingleton(_ => new DataRoots(builder.Configuration.GetSection("Data:Roots").Get<string[]>() ?? []));
        builder.Services.AddSingleton<IHostCheck, DecodingCheck>();
        builder.Services.AddSingleton(new PermanentError(typeof(DatasetException)));
        builder.Services.AddSingleton(new WorkerError(error => error is DecoderUnavailableException));
        consumers
            .AddJobs<IngestDatasetHandler, IngestDataset>()
            .AddJobs<DownloadFileHandler, DownloadFile>()
            .AddJobs<PackImagesHandler, PackImages>()
            .AddJobs<CompleteDatasetHandler, CompleteDataset>();
    }
}
