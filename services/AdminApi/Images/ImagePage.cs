using Distributed.Storage;

namespace Distributed.AdminApi.Images;

/// <summary>Pages of what does not change: where a page ended is its place in the whole.</summary>
internal static class ImagePage
{
    /// <summary>A page, and where it ended.</summary>
    /// <param name="all">Everything that is asked for, in its order.</param>
    /// <param name="after">Where the page before ended; null for the first.</param>
    /// <param name="limit">Most entries.</param>
    public static (List<T> Items, int? Next) Of<T>(IEnumerable<T> all, int? after, int limit)
    {
        var from = after ?? 0;
        var page = all.Skip(from).Take(limit + 1).ToList();
        if (page.Count <= limit)
        {
            return (page, null);
        }

        page.RemoveAt(limit);
        return (page, from + limit);
    }
}

/// <summary>Says that a file is not as it was written, where images or what was found about them are asked for.</summary>
internal sealed class DamagedFileFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (StoredFileException exception)
        {
            return TypedResults.Problem(
                title: "A file is damaged or missing.",
                detail: $"{exception.Message} Submit the specification of a run on this data set again: what is there is not computed again, what is missing is.",
                statusCode: StatusCodes.Status410Gone
            );
        }
    }
}
