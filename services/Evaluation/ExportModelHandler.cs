using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Registry;
using Distributed.Serving;
using Distributed.Storage;
using Distributed.Vision.Weights;

namespace Distributed.Evaluation;

/// <summary>Answers requests for the packages of models.</summary>
internal sealed class ExportModelHandler(ModelExporter exporter) : IRequestHandler<ExportModel, ModelExported>
{
    public async Task<ModelExported> HandleAsync(ExportModel request, bool isRedelivered, CancellationToken cancellationToken)
    {
        try
        {
            var file = await exporter.ExportAsync(request.Model, request.Version, cancellationToken);
            return new ModelExported(file.Path, file.Sha256, file.Length);
        }
        catch (Exception exception)
            when (exception is RegistryException or StoredFileException or WeightsException or NotSupportedException)
        {
            return new ModelExported(null, null, 0, exception.Message);
        }
    }
}
