using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Distributed.Contracts;

namespace Distributed.Client;

/// <summary>A typed client of the HTTP API. It is safe for any number of threads.</summary>
/// <remarks>
/// Where the server has too much to do (429, 503) a request is repeated when the server says, for as long as <see cref="Patience"/>. Every
/// method
/// raises <see cref="ApiException"/> for what the server refuses, and <see cref="HttpRequestException"/> where it cannot be reached.
/// </remarks>
public sealed partial class DistributedClient : IDisposable
{
    private const string Api = "api/v1/";
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    private readonly HttpClient _http;
    private readonly bool _ownsHttp;

    /// <summary>Creates a client and its own HTTP client.</summary>
    /// <param name="server">Address of the server, such as <c>http://127.0.0.1:8080</c>.</param>
    /// <param name="key">The key; null or empty where the server wants none.</param>
    public DistributedClient(Uri server, string? key = null)
        : this(new HttpClient { BaseAddress = server, Timeout = Timeout.InfiniteTimeSpan })
    {
        _ownsHttp = true;
        if (!string.IsNullOrEmpty(key))
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
    }

    /// <summary>Creates a client over an existing HTTP client, with its address and headers; it is not disposed.</summary>
    /// <param name="http">The HTTP client.</param>
    public DistributedClient(HttpClient http) => _http = http;

    /// <summary>How long a request is repeated that the server has no time for; zero never repeats one.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Submits a run. It may be repeated: the same key is the same run.</summary>
    /// <param name="specification">What is to be done.</param>
    /// <param name="idempotencyKey">A text of the caller's own that stands for this run; made up where null.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<RunSummary> SubmitRunAsync(
        RunSpecification specification,
        string? idempotencyKey = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(specification);
        var key = idempotencyKey ?? Guid.NewGuid().ToString("N");
        var detail = await SendAsync<RunDetail>(
            HttpMethod.Post,
            "runs",
            () => new StringContent(ContractJson.Write(specification), MediaTypeHeaderValue.Parse("application/json")),
            cancellationToken,
            ("Idempotency-Key", key)
        );
        return detail.Summary;
    }

    /// <summary>A run.</summary>
    public Task<RunDetail> GetRunAsync(Guid runId, CancellationToken cancellationToken = default) =>
        SendAsync<RunDetail>(HttpMethod.Get, $"runs/{runId:D}", content: null, cancellationToken);

    /// <summary>Runs, the latest first, page by page as they are read.</summary>
    /// <param name="state">Only those in this state.</param>
    /// <param name="tag">Only those with this tag.</param>
    /// <param name="name">Only those of this name.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async IAsyncEnumerable<RunSummary> ListRunsAsync(
        RunState? state = null,
        string? tag = null,
        string? name = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        for (string? after = null; ; )
        {
            var page = await SendAsync<Page<RunSummary, string?>>(
                HttpMethod.Get,
                "runs"
                    + Query(("state", state is { } one ? CamelCase(one.ToString()) : null), ("tag", tag), ("name", name), ("after", after)),
                content: null,
                cancellationToken
            );
            foreach (var run in page.Items)
            {
                yield return run;
            }

            if ((after = page.Next) is null)
            {
                yield break;
            }
        }
    }

    /// <summary>Waits until a run has ended.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="progress">Hears how far it is; may be null.</param>
    /// <param name="cancellationToken">Stops waiting; the run goes on.</param>
    public async Task<RunSummary> WaitForRunAsync(
        Guid runId,
        IProgress<RunDetail>? progress = null,
        CancellationToken cancellationToken = default
    )
    {
        while (true)
        {
            var detail = await GetRunAsync(runId, cancellationToken);
            progress?.Report(detail);
            if (detail.Summary.HasEnded)
            {
                return detail.Summary;
            }

            await Task.Delay(PollInterval, cancellationToken);
        }
    }

    /// <summary>Cancels a run that has not ended.</summary>
    public Task<RunDetail> CancelRunAsync(Guid runId, CancellationToken cancellationToken = default) =>
        SendAsync<RunDetail>(HttpMethod.Post, $"runs/{runId:D}/cancel", content: null, cancellationToken);

    /// <summary>Opens a run again that failed or was cancelled, at the stage in which it ended.</summary>
    public Task<RunDetail> RetryRunAsync(Guid runId, CancellationToken cancellationToken = default) =>
        SendAsync<RunDetail>(HttpMethod.Post, $"runs/{runId:D}/retry", content: null, cancellationToken);

    /// <summary>Removes a run that has ended.</summary>
    public async Task DeleteRunAsync(Guid runId, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(HttpMethod.Delete, $"runs/{runId:D}", content: null, cancellationToken);
    }

    /// <summary>Epochs or penalties and the test result of a run.</summary>
    public Task<JsonElement> GetRunMetricsAsync(Guid runId, CancellationToken cancellationToken = default) =>
        SendAsync<JsonElement>(HttpMethod.Get, $"runs/{runId:D}/metrics", content: null, cancellationToken);

    /// <summary>Models by name, page by page as they are read.</summary>
    public async IAsyncEnumerable<ModelSummary> ListModelsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (string? after = null; ; )
        {
            var page = await SendAsync<Page<ModelSummary, string?>>(
                HttpMethod.Get,
                "models" + Query(("after", after)),
                content: null,
                cancellationToken
            );
            foreach (var model in page.Items)
            {
                yield return model;
            }

            if ((after = page.Next) is null)
            {
                yield break;
            }
        }
    }

    /// <summary>Makes the head of a completed run the next version of a model; the one that it is already, where it is one.</summary>
    public Task<ModelVersionDetail> RegisterVersionAsync(
        string model,
        Guid runId,
        string? note = null,
        CancellationToken cancellationToken = default
    ) => SendAsync<ModelVersionDetail>(HttpMethod.Post, $"models/{Escape(model)}/versions", Body(new { runId, note }), cancellationToken);

    /// <summary>A version of a model.</summary>
    public Task<ModelVersionDetail> GetVersionAsync(string model, int number, CancellationToken cancellationToken = default) =>
        SendAsync<ModelVersionDetail>(
            HttpMethod.Get,
            string.Create(CultureInfo.InvariantCulture, $"models/{Escape(model)}/versions/{number}"),
            content: null,
            cancellationToken
        );

    /// <summary>Points an alias to a version.</summary>
    /// <param name="model">The model.</param>
    /// <param name="alias">The alias.</param>
    /// <param name="version">The version.</param>
    /// <param name="confidence">How sure it must be that it is better than the present one; null to move the alias in any case.</param>
    /// <param name="reason">Why, for the audit log.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<AliasDetail> PromoteAsync(
        string model,
        string alias,
        int version,
        double? confidence = null,
        string? reason = null,
        CancellationToken cancellationToken = default
    ) =>
        SendAsync<AliasDetail>(
            HttpMethod.Put,
            $"models/{Escape(model)}/aliases/{Escape(alias)}",
            Body(
                new
                {
                    version,
                    confidence,
                    reason,
                }
            ),
            cancellationToken
        );

    /// <summary>Points an alias to the version before.</summary>
    public Task<AliasDetail> RollBackAsync(
        string model,
        string alias,
        string? reason = null,
        CancellationToken cancellationToken = default
    ) =>
        SendAsync<AliasDetail>(
            HttpMethod.Post,
            $"models/{Escape(model)}/aliases/{Escape(alias)}/rollback" + Query(("reason", reason)),
            content: null,
            cancellationToken
        );

    /// <summary>Copies a file of a model.</summary>
    /// <param name="model">NAME@ALIAS or NAME@NUMBER.</param>
    /// <param name="target">Receives it; not closed.</param>
    /// <param name="file">Which file.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task ExportAsync(
        string model,
        Stream target,
        ModelFile file = ModelFile.Package,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(target);
        using var response = await SendAsync(
            HttpMethod.Get,
            $"models/{Escape(model)}/export" + Query(("file", CamelCase(file.ToString()))),
            content: null,
            cancellationToken
        );
        await response.Content.CopyToAsync(target, cancellationToken);
    }

    /// <summary>Predicts the classes of an image.</summary>
    /// <param name="model">NAME@ALIAS or NAME@NUMBER.</param>
    /// <param name="image">An image file; read to its end and not closed.</param>
    /// <param name="options">What to return; the five most probable classes where null.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<PredictedImage> PredictAsync(
        string model,
        Stream image,
        PredictionOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(image);
        using var content = new MemoryStream();
        await image.CopyToAsync(content, cancellationToken);
        return (await PredictAsync(model, [content.ToArray()], options, cancellationToken)).Images[0];
    }

    /// <summary>Predicts the classes of images; those that cannot be used say why, unless none can be.</summary>
    /// <param name="model">NAME@ALIAS or NAME@NUMBER.</param>
    /// <param name="images">Image files, at most 64.</param>
    /// <param name="options">What to return; the five most probable classes where null.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<Predictions> PredictAsync(
        string model,
        IReadOnlyList<byte[]> images,
        PredictionOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(images);
        options ??= new PredictionOptions();
        var query = Query(
            ("top", options.Top),
            ("neighbours", options.Neighbours),
            ("unusual", options.Unusual ? "true" : null),
            ("confidence", options.Confidence)
        );
        return SendAsync<Predictions>(HttpMethod.Post, $"models/{Escape(model)}/predict{query}", Form, cancellationToken);

        HttpContent Form()
        {
            var form = new MultipartFormDataContent();
            for (var i = 0; i < images.Count; i++)
            {
                var number = i.ToString(CultureInfo.InvariantCulture);
                form.Add(new ByteArrayContent(images[i]), number, number);
            }

            return form;
        }
    }

    /// <summary>What a run with a model predicted for each image of its data set, in the data set's order.</summary>
    /// <param name="runId">The run; it is complete.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async IAsyncEnumerable<DatasetPrediction> ReadPredictionsAsync(
        Guid runId,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        using var response = await SendAsync(HttpMethod.Get, $"runs/{runId:D}/predictions.jsonl", content: null, cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            yield return JsonSerializer.Deserialize<DatasetPrediction>(line, Json)!;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsHttp)
        {
            _http.Dispose();
        }
    }

    private static string Escape(string text) => Uri.EscapeDataString(text);

    private static string CamelCase(string text) => JsonNamingPolicy.CamelCase.ConvertName(text);

    private static string Query(params IEnumerable<(string Name, object? Value)> parameters)
    {
        var given = parameters
            .Where(parameter => parameter.Value is not null)
            .Select(parameter => $"{parameter.Name}={Escape(Convert.ToString(parameter.Value, CultureInfo.InvariantCulture)!)}")
            .ToList();
        return given.Count == 0 ? "" : "?" + string.Join('&', given);
    }

    private static Func<HttpContent> Body<T>(T body) => () => JsonContent.Create(body, options: Json);

    private async Task<T> SendAsync<T>(
        HttpMethod method,
        string path,
        Func<HttpContent>? content,
        CancellationToken cancellationToken,
        params (string Name, string Value)[] headers
    )
    {
        using var response = await SendAsync(method, path, content, cancellationToken, headers);
        return (await response.Content.ReadFromJsonAsync<T>(Json, cancellationToken))!;
    }

    /// <summary>Sends a request, again and again where the server has too much to do.</summary>
    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method,
        string path,
        Func<HttpContent>? content,
        CancellationToken cancellationToken,
        params (string Name, string Value)[] headers
    )
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            using var request = new HttpRequestMessage(method, Api + path) { Content = content?.Invoke() };
            foreach (var (name, value) in headers)
            {
                request.Headers.Add(name, value);
            }

            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            using (response)
            {
                var wait = response.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1);
                if (
                    response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable)
                    || TimeProvider.System.GetElapsedTime(started) + wait > Patience
                )
                {
                    throw await ReadErrorAsync(response, cancellationToken);
                }

                await Task.Delay(wait, cancellationToken);
            }
        }
    }

    private static async Task<ApiException> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        Problem? problem = null;
        if (response.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) == true)
        {
            problem = await response.Content.ReadFromJsonAsync<Problem>(Json, cancellationToken);
        }

        var fields = problem?.Errors?.SelectMany(error => error.Value.Select(text => $"{error.Key} {text}."));
        return new ApiException(
            response.StatusCode,
            problem?.Detail ?? (fields is null ? null : string.Join(' ', fields)) ?? $"The server answered {(int)response.StatusCode}.",
            problem?.Errors
        );
    }

    private sealed record Problem(string? Title, string? Detail, IReadOnlyDictionary<string, string[]>? Errors);
}
