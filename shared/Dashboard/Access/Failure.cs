using System.Net;
using Distributed.Client;

namespace Distributed.Dashboard.Access;

/// <summary>Why a page has nothing to show, or could not do what was asked.</summary>
/// <param name="Status">What the API answered; null where it did not.</param>
/// <param name="Title">In a few words.</param>
/// <param name="Detail">What is wrong, and what to do.</param>
public sealed record Failure(HttpStatusCode? Status, string Title, string Detail)
{
    /// <summary>Whether the visitor's key is not one for it.</summary>
    public bool IsForbidden => Status == HttpStatusCode.Forbidden;

    /// <summary>Whether the visitor has no session any more.</summary>
    public bool IsSignedOut => Status == HttpStatusCode.Unauthorized;

    /// <summary>Of what the API refused.</summary>
    public static Failure Of(ApiException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return new(
            exception.Status,
            exception.Status switch
            {
                HttpStatusCode.Unauthorized => "You are signed out",
                HttpStatusCode.Forbidden => "Your key does not open this",
                HttpStatusCode.NotFound => "It is not there",
                HttpStatusCode.ServiceUnavailable => "Not available at the moment",
                HttpStatusCode.TooManyRequests => "Too many requests",
                HttpStatusCode.PreconditionFailed => "Somebody changed it meanwhile",
                HttpStatusCode.Conflict => "It cannot be done now",
                >= HttpStatusCode.InternalServerError => "The service failed",
                _ => "The service refused it",
            },
            exception.Message
        );
    }

    /// <summary>Of an API that cannot be reached.</summary>
    public static Failure Of(HttpRequestException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return new(Status: null, "The service does not answer", exception.Message);
    }
}
