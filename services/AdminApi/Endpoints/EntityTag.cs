using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;

namespace Distributed.AdminApi.Endpoints;

/// <summary>
/// Keeps changes apart that two people make at once: what can be changed has a revision, which is its ETag, and who changes it says by If-Match which
/// one is meant.
/// </summary>
internal static class EntityTag
{
    /// <summary>The ETag of a revision.</summary>
    public static string Of(int revision) => string.Create(CultureInfo.InvariantCulture, $"\"{revision}\"");

    /// <summary>Whether a request is for a revision.</summary>
    /// <param name="request">The request.</param>
    /// <param name="revision">The present one.</param>
    /// <param name="what">What is to be changed, as a sentence begins with it: "The run".</param>
    /// <returns>The refusal, 428 without the header and 412 for another revision; null where the change may be made.</returns>
    public static ProblemHttpResult? Refuse(HttpRequest request, int revision, string what)
    {
        var given = request.GetTypedHeaders().IfMatch;
        if (given is null or [])
        {
            return TypedResults.Problem(
                title: "Say which version is to be changed.",
                detail: $"Send the header If-Match with the ETag that a GET answers, now {Of(revision)}, or If-Match: * to change it whatever it is.",
                statusCode: StatusCodes.Status428PreconditionRequired
            );
        }

        var present = new EntityTagHeaderValue(Of(revision));
        return given.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(present, useStrongComparison: true))
            ? null
            : Changed(revision, what);
    }

    /// <summary>The refusal of a change of an earlier revision.</summary>
    public static ProblemHttpResult Changed(int revision, string what) =>
        TypedResults.Problem(
            title: $"{what} was changed meanwhile.",
            detail: $"Its ETag is {Of(revision)} by now, and If-Match names another. Read it again, and send the change with its present ETag.",
            statusCode: StatusCodes.Status412PreconditionFailed
        );
}
