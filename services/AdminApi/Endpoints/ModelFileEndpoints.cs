using System.ComponentModel.DataAnnotations;
using Distributed.AdminApi.Predictions;
using Distributed.Contracts;
using Distributed.Registry;
using Distributed.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Files of models to take along.</summary>
internal static class ModelFileEndpoints
{
    public static void MapModelFiles(this IEndpointRouteBuilder api) =>
        api.MapGet("/models/{reference}/export", ExportAsync)
            .WithTags("Models")
            .WithSummary("A model as a file")
            .WithDescription(
                "By NAME@ALIAS or NAME@NUMBER. The package is a zip file with the network as ONNX from pixels to probabilities, the head as safetensors, a description and a model card; each can be had alone."
            )
            .Produces<byte[]>(contentType: "application/octet-stream")
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
            .ProducesProblem(StatusCodes.Status504GatewayTimeout)
            .AddEndpointFilter(PredictionProblem.Filter(problem => problem.ToResult()));

    private static async Task<Results<PushStreamHttpResult, ProblemHttpResult>> ExportAsync(
        string reference,
        ModelFiles files,
        CancellationToken cancellationToken,
        [FromQuery, EnumDataType(typeof(ModelFile))] string file = "package"
    )
    {
        try
        {
            var found = await files.FindAsync(
                ModelReference.Parse(reference),
                Enum.Parse<ModelFile>(file, ignoreCase: true),
                cancellationToken
            );
            return TypedResults.Stream(found.CopyToAsync, found.ContentType, found.Name);
        }
        catch (StoredFileException exception)
        {
            return TypedResults.Problem(title: "The file is gone.", detail: exception.Message, statusCode: StatusCodes.Status410Gone);
        }
    }
}
