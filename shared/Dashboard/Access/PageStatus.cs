using System.Net;
using Microsoft.AspNetCore.Http;

namespace Distributed.Dashboard.Access;

/// <summary>The status of a page that has to say that something is missing or not allowed.</summary>
internal static class PageStatus
{
    /// <summary>Gives the page a status, as long as it is not on its way.</summary>
    /// <remarks>At the last moment: a page that is said to be missing before it is written would not be written at all.</remarks>
    public static void AnswerWith(this HttpContext http, HttpStatusCode status)
    {
        if (!http.Response.HasStarted)
        {
            http.Response.OnStarting(() =>
            {
                http.Response.StatusCode = (int)status;
                return Task.CompletedTask;
            });
        }
    }
}
