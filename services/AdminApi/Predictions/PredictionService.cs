using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Registry;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Predictions;

/// <summary>Too many requests wait already.</summary>
internal sealed class TooManyPredictionsException(int most)
    : Exception($"{most} requests are being answered; try again in a moment. The limit is the setting Predictions__Concurrent.");

/// <summary>A prediction was refused by the worker that had it.</summary>
internal sealed class PredictionRefusedException(string message) : Exception(message);

/// <summary>Asks the Evaluation workers for predictions, within limits.</summary>
internal sealed class PredictionService(ModelRegistry registry, RequestSender sender, IOptions<PredictionOptions> options) : IDisposable
{
    private readonly SemaphoreSlim _places = new(options.Value.Concurrent);

    /// <summary>Predicts the classes of images.</summary>
    /// <param name="reference">The model.</param>
    /// <param name="images">Image files, or pixels.</param>
    /// <param name="arePixels">Whether they are pixels, as <see cref="PredictImages"/> has them.</param>
    /// <param name="top">Classes to return of each.</param>
    /// <param name="evidence">What to return beside them.</param>
    /// <param name="timeout">How long to wait; null for as long as is usual.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The number of the version that answered, and its answer.</returns>
    /// <exception cref="RegistryException">There is no such version.</exception>
    /// <exception cref="TooManyPredictionsException">Too many requests wait already.</exception>
    /// <exception cref="RequestRefusedException">No worker can answer at the moment.</exception>
    /// <exception cref="TimeoutException">There was no answer in time.</exception>
    /// <exception cref="PredictionRefusedException">The model cannot be used.</exception>
    public async Task<(int Version, ImagesPredicted Answer)> PredictAsync(
        ModelReference reference,
        IReadOnlyList<byte[]> images,
        bool arePixels,
        int top,
        EvidenceRequest? evidence,
        TimeSpan? timeout,
        CancellationToken cancellationToken
    )
    {
        if (!await _places.WaitAsync(TimeSpan.Zero, cancellationToken))
        {
            throw new TooManyPredictionsException(options.Value.Concurrent);
        }

        try
        {
            var version = await registry.ResolveAsync(reference, cancellationToken);
            var answer = await sender.SendAsync<PredictImages, ImagesPredicted>(
                RequestKind.PredictImages,
                new PredictImages(version.ModelName, version.Number, version.RunId, images, top, evidence, arePixels),
                timeout is { } asked && asked < options.Value.Timeout ? asked : options.Value.Timeout,
                cancellationToken
            );
            return answer.Refused is { } refused ? throw new PredictionRefusedException(refused) : (version.Number, answer);
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();
}
