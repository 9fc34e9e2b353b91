using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Fuzzing.Targets;

/// <summary>Bodies of requests that submit runs, bound as the API binds them.</summary>
internal sealed class HttpBodyTarget : FuzzTarget
{
    private readonly ServiceProvider _services = new ServiceCollection().AddLogging().BuildServiceProvider();
    private readonly RequestDelegate _submit = RequestDelegateFactory
        .Create(
            ([FromBody] JsonElement body) =>
                SpecificationTarget.Check(body)
                    ? TypedResults.StatusCode(StatusCodes.Status202Accepted)
                    : TypedResults.StatusCode(StatusCodes.Status422UnprocessableEntity)
        )
        .RequestDelegate;

    public override string Name => "http-body";

    protected override IReadOnlyList<byte[]> Seeds { get; } = AsBytes([.. JsonSeeds.Specifications]);

    protected override IReadOnlyList<byte[]> Words => JsonSeeds.Words;

    public override bool Parse(byte[] input)
    {
        using var body = new MemoryStream(input);
        var context = new DefaultHttpContext { RequestServices = _services };
        context.Request.Method = HttpMethods.Post;
        context.Request.ContentType = "application/json";
        context.Request.ContentLength = input.Length;
        context.Request.Body = body;
        context.Features.Set<Microsoft.AspNetCore.Http.Features.IHttpRequestBodyDetectionFeature>(new HasBody());
        _submit(context).GetAwaiter().GetResult();
        Promise(
            context.Response.StatusCode
                is StatusCodes.Status202Accepted
                    or StatusCodes.Status422UnprocessableEntity
                    or StatusCodes.Status400BadRequest,
            $"the answer is {context.Response.StatusCode}"
        );
        return context.Response.StatusCode == StatusCodes.Status202Accepted;
    }

    protected override void Dispose(bool disposing)
    {
        _services.Dispose();
        base.Dispose(disposing);
    }

    private sealed class HasBody : Microsoft.AspNetCore.Http.Features.IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => true;
    }
}
