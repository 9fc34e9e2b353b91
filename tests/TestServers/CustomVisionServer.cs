using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Distributed.TestServers;

/// <summary>An image of a project.</summary>
/// <param name="Id">Identity.</param>
/// <param name="Content">The file.</param>
/// <param name="Tags">Names of its tags.</param>
public sealed record ProjectImage(Guid Id, byte[] Content, params string[] Tags);

/// <summary>
/// Answers for one project as Azure Custom Vision's Training API 3.3 is described to (the fields of Project, Domain, Tag and Image in
/// Microsoft's
/// OpenAPI document, and its pages), and serves its images from another path without the key.
/// </summary>
public sealed class CustomVisionServer : IAsyncDisposable
{
    private const int MostPerPage = 256;
    private const string TrainingPath = "/customvision/v3.3/training/";

    private readonly HttpListener _listener = new();
    private readonly Task _serving;
    private readonly IReadOnlyList<ProjectImage> _images;
    private readonly Dictionary<string, Guid> _tags;
    private readonly ConcurrentQueue<Guid> _downloads = [];

    /// <param name="images">The images, the oldest first.</param>
    public CustomVisionServer(params IReadOnlyList<ProjectImage> images)
    {
        _images = images;
        _tags = images.SelectMany(image => image.Tags).Distinct().ToDictionary(name => name, _ => Guid.NewGuid(), StringComparer.Ordinal);
        Endpoint = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        _listener.Prefixes.Add(Endpoint.ToString());
        _listener.Start();
        _serving = Task.Run(ServeAsync);
    }

    /// <summary>Endpoint of the resource.</summary>
    public Uri Endpoint { get; }

    /// <summary>The project.</summary>
    public Guid Project { get; } = Guid.NewGuid();

    /// <summary>The training key.</summary>
    public string Key { get; } = Guid.NewGuid().ToString("N");

    /// <summary><c>Multiclass</c> or <c>Multilabel</c>.</summary>
    public string ClassificationType { get; init; } = "Multiclass";

    /// <summary><c>Classification</c> or <c>ObjectDetection</c>.</summary>
    public string DomainType { get; init; } = "Classification";

    /// <summary>Images without a tag.</summary>
    public int Untagged { get; init; }

    /// <summary>The images whose files were asked for so far.</summary>
    public IReadOnlyCollection<Guid> Downloads => _downloads;

    /// <summary>From this download on, each is answered with 404; never where null.</summary>
    public int? FailsFrom { get; set; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _serving;
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
            {
                // The test is over.
                return;
            }

            var (status, content) = Answer(context.Request);
            context.Response.StatusCode = status;
            context.Response.ContentLength64 = content.Length;
            await context.Response.OutputStream.WriteAsync(content);
            context.Response.Close();
        }
    }

    private (int Status, byte[] Content) Answer(HttpListenerRequest request)
    {
        var path = request.Url!.AbsolutePath;
        if (path.StartsWith("/files/", StringComparison.Ordinal))
        {
            var id = Guid.Parse(path["/files/".Length..]);
            _downloads.Enqueue(id);
            return request.Headers["Training-Key"] is not null || _downloads.Count >= FailsFrom
                ? (404, [])
                : (200, _images.Single(image => image.Id == id).Content);
        }

        if (request.Headers["Training-Key"] != Key)
        {
            return (401, []);
        }

        var project = $"projects/{Project:D}";
        object? answer = path.Replace(TrainingPath, "", StringComparison.Ordinal) switch
        {
            var own when own == project => new
            {
                id = Project,
                name = "flowers",
                settings = new { domainId = Domain, classificationType = ClassificationType },
                created = DateTime.UnixEpoch,
            },
            var domain when domain == $"domains/{Domain:D}" => new
            {
                id = Domain,
                name = "General",
                type = DomainType,
            },
            var tags when tags == project + "/tags" => _tags.Select(tag => new
            {
                id = tag.Value,
                name = tag.Key,
                type = "Regular",
                imageCount = _images.Count(image => image.Tags.Contains(tag.Key)),
            }),
            var count when count == project + "/images/tagged/count" => _images.Count,
            var count when count == project + "/images/untagged/count" => Untagged,
            var page when page == project + "/images/tagged" => _images
                .Skip(Number(request, "skip"))
                .Take(Math.Min(Number(request, "take"), MostPerPage))
                .Select(image => new
                {
                    id = image.Id,
                    created = DateTime.UnixEpoch,
                    width = 96,
                    height = 96,
                    originalImageUri = new Uri(Endpoint, $"files/{image.Id:D}"),
                    tags = image.Tags.Select(name => new
                    {
                        tagId = _tags[name],
                        tagName = name,
                        created = DateTime.UnixEpoch,
                    }),
                }),
            _ => null,
        };
        return answer is null ? (404, []) : (200, JsonSerializer.SerializeToUtf8Bytes(answer, JsonSerializerOptions.Web));
    }

    private Guid Domain { get; } = Guid.NewGuid();

    private static int Number(HttpListenerRequest request, string name) =>
        int.Parse(request.QueryString[name]!, CultureInfo.InvariantCulture);
}
