using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Distributed.Datasets.CustomVision;

/// <summary>A project of Azure Custom Vision.</summary>
/// <param name="Id">Identity.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Settings">What kind of project it is.</param>
internal sealed record Project(Guid Id, string Name, ProjectSettings Settings);

/// <summary>What kind of project it is.</summary>
/// <param name="DomainId">The domain, which says whether images are classified or objects located.</param>
/// <param name="ClassificationType"><c>Multiclass</c> (one tag an image) or <c>Multilabel</c>.</param>
internal sealed record ProjectSettings(Guid DomainId, string? ClassificationType);

/// <summary>A kind of project.</summary>
/// <param name="Type"><c>Classification</c> or <c>ObjectDetection</c>.</param>
internal sealed record Domain(string Type);

/// <summary>A tag.</summary>
/// <param name="Id">Identity.</param>
/// <param name="Name">Name.</param>
internal sealed record Tag(Guid Id, string Name);

/// <summary>The tag of an image.</summary>
/// <param name="TagId">Identity.</param>
/// <param name="TagName">Name.</param>
internal sealed record ImageTag(Guid TagId, string TagName);

/// <summary>An image.</summary>
/// <param name="Id">Identity.</param>
/// <param name="OriginalImageUri">Where the file is, as it was uploaded.</param>
/// <param name="Tags">Its tags.</param>
internal sealed record TaggedImage(Guid Id, Uri OriginalImageUri, IReadOnlyList<ImageTag> Tags);

/// <summary>Reads a project by Azure Custom Vision's Training API 3.3.</summary>
internal sealed class TrainingApi(HttpClient http, Uri endpoint, string key, TimeProvider time)
{
    /// <summary>Images of a page, as many as the API gives.</summary>
    private const int PageSize = 256;

    private const int MostTries = 5;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <exception cref="DatasetException">There is none, or the key does not open it.</exception>
    public Task<Project> GetProjectAsync(Guid projectId, CancellationToken cancellationToken) =>
        GetAsync<Project>($"projects/{projectId:D}", cancellationToken);

    public Task<Domain> GetDomainAsync(Guid domainId, CancellationToken cancellationToken) =>
        GetAsync<Domain>($"domains/{domainId:D}", cancellationToken);

    public Task<IReadOnlyList<Tag>> GetTagsAsync(Guid projectId, CancellationToken cancellationToken) =>
        GetAsync<IReadOnlyList<Tag>>($"projects/{projectId:D}/tags", cancellationToken);

    public Task<int> CountTaggedAsync(Guid projectId, CancellationToken cancellationToken) =>
        GetAsync<int>($"projects/{projectId:D}/images/tagged/count", cancellationToken);

    public Task<int> CountUntaggedAsync(Guid projectId, CancellationToken cancellationToken) =>
        GetAsync<int>($"projects/{projectId:D}/images/untagged/count", cancellationToken);

    /// <summary>A page of images, the oldest first, so that those that are added meanwhile move none.</summary>
    public Task<IReadOnlyList<TaggedImage>> GetImagesAsync(Guid projectId, int skip, CancellationToken cancellationToken) =>
        GetAsync<IReadOnlyList<TaggedImage>>(
            string.Create(CultureInfo.InvariantCulture, $"projects/{projectId:D}/images/tagged?orderBy=Oldest&take={PageSize}&skip={skip}"),
            cancellationToken
        );

    /// <summary>Fetches a file, wherever the API says it is; without the key, which is not that place's business.</summary>
    public Task<byte[]> DownloadAsync(Uri file, CancellationToken cancellationToken) =>
        TryAsync(
            async () =>
            {
                using var response = await http.GetAsync(file, cancellationToken);
                ThrowIfRefused(response, file.GetLeftPart(UriPartial.Path));
                return await response.Content.ReadAsByteArrayAsync(cancellationToken);
            },
            cancellationToken
        );

    private Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) =>
        TryAsync(
            async () =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(endpoint, $"customvision/v3.3/training/{path}"))
                {
                    Headers = { { "Training-Key", key } },
                };
                using var response = await http.SendAsync(request, cancellationToken);
                ThrowIfRefused(response, path);
                return (await response.Content.ReadFromJsonAsync<T>(Json, cancellationToken))!;
            },
            cancellationToken
        );

    private static void ThrowIfRefused(HttpResponseMessage response, string what)
    {
        switch (response.StatusCode)
        {
            case HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden:
                throw new DatasetException(
                    $"'{what}' was answered with {(int)response.StatusCode}: the key does not open it. Give the training key of the project's resource."
                );
            case HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError:
                throw new HttpRequestException($"'{what}' was answered with {(int)response.StatusCode}.", null, response.StatusCode);
            case >= HttpStatusCode.BadRequest:
                throw new DatasetException(
                    $"'{what}' was answered with {(int)response.StatusCode}. Check the endpoint and the project's id."
                );
        }
    }

    /// <summary>Tries again what may come right by itself.</summary>
    private async Task<T> TryAsync<T>(Func<Task<T>> get, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await get();
            }
            catch (HttpRequestException exception)
            {
                if (attempt == MostTries)
                {
                    throw new DatasetException($"{exception.Message} Start the import again: it goes on with what is missing.", exception);
                }

                await Task.Delay(TimeSpan.FromSeconds(1 << (attempt - 1)), time, cancellationToken);
            }
        }
    }
}
