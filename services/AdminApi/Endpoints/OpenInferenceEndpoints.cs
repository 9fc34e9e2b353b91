using System.Text.Json;
using System.Text.Json.Serialization;
using Distributed.AdminApi.Access;
using Distributed.AdminApi.Predictions;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Registry;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>
/// The Open Inference Protocol, version 2, over HTTP (https://github.com/kserve/open-inference-protocol), with the extension "binary tensor
/// data". A model without a version is its alias <c>champion</c>, or its latest version.
/// </summary>
internal static class OpenInferenceEndpoints
{
    private const string DefaultAlias = "champion";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static void MapOpenInference(this IEndpointRouteBuilder app)
    {
        var server = app.MapGroup("/v2")
            .ExcludeFromDescription()
            .WithMetadata(new RefusalBody((_, reason) => new InferenceError(reason), Json))
            .AddEndpointFilter(PredictionProblem.Filter(Write));
        server.MapRead("", Describe).RequireAuthorization(ApiAccess.PredictorPolicy);
        server.MapRead("/health/live", () => TypedResults.Ok()).AllowAnonymous();
        server.MapRead("/health/ready", IsReady).AllowAnonymous();
        foreach (var model in (string[])["/models/{model}", "/models/{model}/versions/{version}"])
        {
            server.MapRead(model, DescribeModelAsync).RequireAuthorization(ApiAccess.PredictorPolicy);
            server.MapRead(model + "/ready", IsModelReadyAsync).RequireAuthorization(ApiAccess.PredictorPolicy);
            server
                .MapPost(model + "/infer", InferAsync)
                .RequireAuthorization(ApiAccess.PredictorPolicy)
                .WithMetadata(new RequestSizeLimitAttribute(2 * ImageReader.MostBytes))
                .DisableAntiforgery();
        }
    }

    private static JsonHttpResult<ServerMetadata> Describe() =>
        Answer(
            new ServerMetadata(
                "distributed",
                typeof(OpenInferenceEndpoints).Assembly.GetName().Version!.ToString(3),
                ["binary_tensor_data"]
            )
        );

    private static IResult IsReady(RequestSender sender) =>
        sender.FindObstacle(RequestKind.PredictImages) is { } reason
            ? Error(StatusCodes.Status503ServiceUnavailable, reason)
            : TypedResults.Ok();

    private static async Task<IResult> IsModelReadyAsync(
        string model,
        ModelRegistry registry,
        IDbContextFactory<CatalogContext> contexts,
        RequestSender sender,
        CancellationToken cancellationToken,
        string? version = null
    )
    {
        await FindAsync(model, version, registry, contexts, cancellationToken);
        return IsReady(sender);
    }

    private static async Task<IResult> DescribeModelAsync(
        string model,
        ModelRegistry registry,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken,
        string? version = null
    )
    {
        var found = await FindAsync(model, version, registry, contexts, cancellationToken);
        var lineage = ModelLineage.Read(found.Lineage);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var versions = await context
            .ModelVersions.Where(row => row.ModelName == found.ModelName)
            .OrderBy(row => row.Number)
            .Select(row => row.Number)
            .ToListAsync(cancellationToken);
        var size = lineage.Features.Preparation.Size;
        return Answer(
            new ModelMetadata(
                found.ModelName,
                [.. versions.Select(number => FormattableString.Invariant($"{number}"))],
                "distributed",
                [
                    new TensorMetadata(InferenceRequest.ImagesName, InferenceRequest.BytesType, [-1]),
                    new TensorMetadata(InferenceRequest.PixelsName, InferenceRequest.PixelType, [-1, size, size, 3]),
                ],
                [
                    new TensorMetadata(InferenceRequest.ProbabilitiesName, "FP32", [-1, lineage.Dataset.Classes.Count]),
                    new TensorMetadata(InferenceRequest.LabelsName, InferenceRequest.BytesType, [-1]),
                ],
                new ModelParameters(lineage.Dataset.Classes)
            )
        );
    }

    private static async Task<IResult> InferAsync(
        string model,
        HttpRequest request,
        ModelRegistry registry,
        IDbContextFactory<CatalogContext> contexts,
        PredictionService predictions,
        CancellationToken cancellationToken,
        string? version = null
    )
    {
        var found = await FindAsync(model, version, registry, contexts, cancellationToken);
        var lineage = ModelLineage.Read(found.Lineage);
        using var body = new MemoryStream((int)Math.Min(request.ContentLength ?? 0, 2 * ImageReader.MostBytes));
        await request.Body.CopyToAsync(body, cancellationToken);
        InferenceRequest inference;
        try
        {
            inference = InferenceRequest.Read(
                body.GetBuffer().AsMemory(0, (int)body.Length),
                request.Headers.TryGetValue(InferenceRequest.HeaderLength, out var length) ? length.ToString() : null,
                lineage.Features.Preparation.Size
            );
        }
        catch (InvalidInferenceException exception)
        {
            return Error(StatusCodes.Status400BadRequest, exception.Message);
        }

        if (inference.Images.Count is 0 or > ImageReader.MostImages)
        {
            return Error(
                StatusCodes.Status400BadRequest,
                $"There are {inference.Images.Count} images in the request; 1 to {ImageReader.MostImages} may be."
            );
        }

        var (number, answer) = await predictions.PredictAsync(
            new ModelReference(found.ModelName, FormattableString.Invariant($"{found.Number}")),
            inference.Images,
            inference.ArePixels,
            int.MaxValue,
            evidence: null,
            timeout: null,
            cancellationToken
        );
        var rejected = answer.Images.Select((image, i) => (image.Rejected, i)).Where(one => one.Rejected is not null).ToList();
        if (rejected.Count > 0)
        {
            return Error(
                StatusCodes.Status400BadRequest,
                string.Join(" ", rejected.Select(one => $"Image {one.i} cannot be used: {one.Rejected}."))
            );
        }

        var classes = lineage.Dataset.Classes;
        var written = new InferenceAnswer(found.ModelName, FormattableString.Invariant($"{number}"), inference.Id, Json);
        foreach (var output in inference.Outputs)
        {
            if (output.Name == InferenceRequest.LabelsName)
            {
                written.Add(output, [answer.Images.Count], [.. answer.Images.Select(image => image.Classes[0].Class)]);
            }
            else
            {
                float[] values = [.. answer.Images.SelectMany(image => InOrder(image.Classes, classes))];
                written.Add(output, [answer.Images.Count, classes.Count], values);
            }
        }

        return written;
    }

    private static IEnumerable<float> InOrder(IReadOnlyList<ClassProbability> ranked, IReadOnlyList<string> classes)
    {
        var probabilities = ranked.ToDictionary(one => one.Class, one => (float)one.Probability, StringComparer.Ordinal);
        return classes.Select(name => probabilities[name]);
    }

    /// <summary>The version that is meant by NAME, NAME@ALIAS, or a version in the address.</summary>
    private static async Task<ModelVersion> FindAsync(
        string model,
        string? version,
        ModelRegistry registry,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken
    )
    {
        if (version is not null)
        {
            return await registry.ResolveAsync(ModelReference.Parse($"{model}@{version}"), cancellationToken);
        }

        if (model.Contains('@', StringComparison.Ordinal))
        {
            return await registry.ResolveAsync(ModelReference.Parse(model), cancellationToken);
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var number =
            await context
                .ModelAliases.Where(alias => alias.ModelName == model && alias.Alias == DefaultAlias)
                .Select(alias => (int?)alias.Version)
                .SingleOrDefaultAsync(cancellationToken)
            ?? await context.ModelVersions.Where(row => row.ModelName == model).MaxAsync(row => (int?)row.Number, cancellationToken)
            ?? throw new RegistryException(RegistryProblem.NotFound, $"There is no model of the name {model}.");
        return await registry.ResolveAsync(new ModelReference(model, FormattableString.Invariant($"{number}")), cancellationToken);
    }

    private static IResult Write(PredictionProblem problem) => Error(problem.Status, problem.Detail);

    private static JsonHttpResult<InferenceError> Error(int status, string message) =>
        TypedResults.Json(new InferenceError(message), Json, statusCode: status);

    private static JsonHttpResult<T> Answer<T>(T body) => TypedResults.Json(body, Json);

    private sealed record ServerMetadata(string Name, string Version, IReadOnlyList<string> Extensions);

    private sealed record ModelMetadata(
        string Name,
        IReadOnlyList<string> Versions,
        string Platform,
        IReadOnlyList<TensorMetadata> Inputs,
        IReadOnlyList<TensorMetadata> Outputs,
        ModelParameters Parameters
    );

    private sealed record ModelParameters(IReadOnlyList<string> ClassNames);

    private sealed record TensorMetadata(string Name, string Datatype, IReadOnlyList<int> Shape);

    private sealed record InferenceError(string Error);
}
