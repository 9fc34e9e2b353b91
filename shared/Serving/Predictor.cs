using System.Diagnostics;
using System.Threading.Channels;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Imaging;
using Distributed.Registry;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;
using TorchSharp;

namespace Distributed.Serving;

/// <summary>
/// Predicts the classes of images. Images of different requests, and of different models on the same base, go through the base together: while a
/// batch is computed the next one gathers, and where others are being decoded, a batch waits a moment for them.
/// </summary>
public sealed class Predictor : IDisposable
{
    /// <summary>More than these at once are no faster.</summary>
    private const int LargestBatch = 32;

    /// <summary>Bases that stay loaded; each takes some 50 MB.</summary>
    private const int MostBases = 2;

    /// <summary>How long a batch waits for images that are being decoded.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(3);

    private readonly IDbContextFactory<CatalogContext> _contexts;
    private readonly ServedModels _models;
    private readonly EvidenceSource _evidence;
    private readonly BackboneLoader _backbones;
    private readonly TensorThread _tensors = new();
    private readonly SemaphoreSlim _decoders = new(Environment.ProcessorCount);
    private readonly LatestUsed<FeatureKey, FeatureExtractor> _extractors;
    private readonly Channel<Pending> _pending = Channel.CreateUnbounded<Pending>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _end = new();
    private readonly Task _loop;
    private int _decoding;

    /// <param name="contexts">The catalog.</param>
    /// <param name="registry">Says what a version is.</param>
    /// <param name="volume">Where heads are.</param>
    /// <param name="evidence">What supports predictions.</param>
    /// <param name="backbones">Loads bases.</param>
    public Predictor(
        IDbContextFactory<CatalogContext> contexts,
        ModelRegistry registry,
        Volume volume,
        EvidenceSource evidence,
        BackboneLoader backbones
    )
    {
        (_contexts, _evidence, _backbones) = (contexts, evidence, backbones);
        _models = new ServedModels(registry, volume);
        _extractors = new LatestUsed<FeatureKey, FeatureExtractor>(
            MostBases,
            extractor => _ = _tensors.RunAsync(_ => Discard(extractor), CancellationToken.None)
        );
        // Not a hosted service: what a stopping host has begun to answer is still computed.
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Predicts the classes of images.</summary>
    /// <param name="request">The model and the images.</param>
    /// <param name="decoding">Where the images are decoded.</param>
    /// <param name="cancellationToken">Stops waiting; what has not begun is not computed then.</param>
    /// <returns>The predictions; refused where the model cannot be used.</returns>
    public async Task<ImagesPredicted> PredictAsync(PredictImages request, IImageDecoding decoding, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(decoding);
        ServedModel model;
        try
        {
            model = await _models.FindAsync(request.Model, request.Version, request.RunId, cancellationToken);
        }
        catch (Exception exception) when (exception is RegistryException or StoredFileException or WeightsException)
        {
            return new ImagesPredicted(Guid.Empty, "", [], new PredictionTiming(0, 0, 0), exception.Message);
        }

        var started = Stopwatch.GetTimestamp();
        var pending = request.ArePixels
            ? await AcceptAsync(request.Images, model, cancellationToken)
            : await DecodeAsync(request.Images, model, decoding, cancellationToken);
        var decoded = Stopwatch.GetElapsedTime(started);
        try
        {
            var computed = await Task.WhenAll(pending.Select(one => one is { Image: { } image } ? image.Result.Task : NotComputed))
                .WaitAsync(cancellationToken);
            var evidence = request.Evidence is { } asked
                ? await _evidence.FindAsync(model, asked, [.. computed], cancellationToken)
                : new PredictionEvidence?[computed.Length];
            var compute = computed.Select(one => one?.Milliseconds ?? 0).DefaultIfEmpty(0).Max();
            return new ImagesPredicted(
                model.Version.RunId,
                model.Version.Head.Sha256,
                [
                    .. computed.Select(
                        (one, i) =>
                            one is null
                                ? new ImagePrediction([], Rejected: pending[i].Rejected)
                                : new ImagePrediction(Rank(model, one.Probabilities, request.Top), evidence[i])
                    ),
                ],
                new PredictionTiming(
                    decoded.TotalMilliseconds,
                    Math.Max(Stopwatch.GetElapsedTime(started).TotalMilliseconds - decoded.TotalMilliseconds - compute, 0),
                    compute
                )
            );
        }
        catch (Exception exception) when (exception is StoredFileException or WeightsException)
        {
            return new ImagesPredicted(
                model.Version.RunId,
                model.Version.Head.Sha256,
                [],
                new PredictionTiming(decoded.TotalMilliseconds, 0, 0),
                exception.Message
            );
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _end.Cancel();
        _loop.GetAwaiter().GetResult();
        _tensors.Dispose();
        _decoders.Dispose();
        _end.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (await _pending.Reader.WaitToReadAsync(_end.Token))
            {
                var batch = await GatherAsync(_end.Token);
                foreach (var together in batch.GroupBy(image => image.Model.Features))
                {
                    await ComputeAsync(together.Key, [.. together], _end.Token);
                }
            }
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // The host ends.
        }
    }

    private static readonly Task<ComputedImage?> NotComputed = Task.FromResult<ComputedImage?>(null);

    private static bool Discard(FeatureExtractor extractor)
    {
        extractor.Dispose();
        return true;
    }

    private static IReadOnlyList<ClassProbability> Rank(ServedModel model, float[] probabilities, int top) =>
        [
            .. probabilities
                .Select((probability, label) => (probability, label))
                .OrderByDescending(pair => pair.probability)
                .ThenBy(pair => pair.label)
                .Take(top)
                .Select(pair => new ClassProbability(model.ClassNames[pair.label], pair.probability)),
        ];

    /// <summary>Hands on what needs no decoding.</summary>
    private async Task<Decoded[]> AcceptAsync(IReadOnlyList<byte[]> images, ServedModel model, CancellationToken cancellationToken)
    {
        var length = model.Features.Images.Size * model.Features.Images.Size * 3;
        var accepted = new Decoded[images.Count];
        for (var i = 0; i < accepted.Length; i++)
        {
            if (images[i].Length != length)
            {
                accepted[i] = new Decoded(null, $"it has {images[i].Length} bytes, and the model's images have {length}");
                continue;
            }

            var pending = new Pending(model, images[i], cancellationToken);
            await _pending.Writer.WriteAsync(pending, cancellationToken);
            accepted[i] = new Decoded(pending, null);
        }

        return accepted;
    }

    /// <summary>Decodes images on all cores, and hands each on as soon as it is decoded.</summary>
    private Task<Decoded[]> DecodeAsync(
        IReadOnlyList<byte[]> images,
        ServedModel model,
        IImageDecoding decoding,
        CancellationToken cancellationToken
    )
    {
        Interlocked.Add(ref _decoding, images.Count);
        return Task.WhenAll(images.Select(image => Task.Run(() => DecodeOneAsync(image), CancellationToken.None)));

        async Task<Decoded> DecodeOneAsync(byte[] image)
        {
            try
            {
                await _decoders.WaitAsync(cancellationToken);
                try
                {
                    var square = await decoding.DecodeAsync(image, model.Features.Images, cancellationToken);
                    var pending = new Pending(model, square.Pixels, cancellationToken);
                    await _pending.Writer.WriteAsync(pending, cancellationToken);
                    return new Decoded(pending, null);
                }
                finally
                {
                    _decoders.Release();
                }
            }
            catch (ImageRejectedException rejected)
            {
                return new Decoded(null, rejected.Message);
            }
            finally
            {
                Interlocked.Decrement(ref _decoding);
            }
        }
    }

    /// <summary>What is there, and what comes within a moment where more is being decoded.</summary>
    private async Task<List<Pending>> GatherAsync(CancellationToken cancellationToken)
    {
        var batch = new List<Pending>();
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            while (batch.Count < LargestBatch && _pending.Reader.TryRead(out var image))
            {
                if (!image.CancellationToken.IsCancellationRequested)
                {
                    batch.Add(image);
                }
            }

            var left = Window - Stopwatch.GetElapsedTime(started);
            if (batch.Count >= LargestBatch || left <= TimeSpan.Zero || Volatile.Read(ref _decoding) == 0)
            {
                return batch;
            }

            using var window = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            window.CancelAfter(left);
            try
            {
                await _pending.Reader.WaitToReadAsync(window.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return batch;
            }
        }
    }

    private async Task ComputeAsync(FeatureKey key, IReadOnlyList<Pending> images, CancellationToken cancellationToken)
    {
        try
        {
            var extractor = await _extractors.GetAsync(key, token => LoadAsync(key, token), cancellationToken);
            var computed = await _tensors.RunAsync(_ => Compute(extractor, key.Images.Size, images), cancellationToken);
            for (var i = 0; i < images.Count; i++)
            {
                images[i].Result.TrySetResult(computed[i]);
            }
        }
        catch (Exception exception)
        {
            // Each request hears of it, and the next batch is computed whatever became of this one.
            foreach (var image in images)
            {
                image.Result.TrySetException(exception);
            }
        }
    }

    private async Task<FeatureExtractor> LoadAsync(FeatureKey key, CancellationToken cancellationToken)
    {
        await using var context = await _contexts.CreateDbContextAsync(cancellationToken);
        var row = await context.Backbones.AsNoTracking().SingleAsync(backbone => backbone.Sha256 == key.BackboneSha256, cancellationToken);
        using var backbone = await _backbones.LoadAsync(row, cancellationToken);
        return await _tensors.RunAsync(_ => new FeatureExtractor(backbone, key.Precision, torch.CPU, LargestBatch), cancellationToken);
    }

    private static ComputedImage[] Compute(FeatureExtractor extractor, int size, IReadOnlyList<Pending> images)
    {
        var started = Stopwatch.GetTimestamp();
        var pixels = new byte[images.Sum(image => image.Pixels.Length)];
        var filled = 0;
        foreach (var image in images)
        {
            image.Pixels.CopyTo(pixels, filled);
            filled += image.Pixels.Length;
        }

        var features = extractor.Extract(pixels, images.Count, size);
        var computed = new ComputedImage[images.Count];
        foreach (var ofModel in Enumerable.Range(0, images.Count).GroupBy(i => images[i].Model))
        {
            int[] rows = [.. ofModel];
            var head = ofModel.Key.Head;
            var probabilities = head.Probabilities(head.Logits(features.Select(rows)));
            for (var i = 0; i < rows.Length; i++)
            {
                computed[rows[i]] = new ComputedImage(
                    features.Row(rows[i]).ToArray(),
                    probabilities.AsSpan(i * head.Classes, head.Classes).ToArray(),
                    0
                );
            }
        }

        var took = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        return [.. computed.Select(one => one with { Milliseconds = took })];
    }

    /// <summary>An image that waits for its batch.</summary>
    private sealed record Pending(ServedModel Model, byte[] Pixels, CancellationToken CancellationToken)
    {
        public TaskCompletionSource<ComputedImage?> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>An image that was decoded, or why it was not.</summary>
    private sealed record Decoded(Pending? Image, string? Rejected);
}

/// <summary>What was computed of an image.</summary>
/// <param name="Features">Its features.</param>
/// <param name="Probabilities">Of all classes.</param>
/// <param name="Milliseconds">Of its batch.</param>
internal sealed record ComputedImage(float[] Features, float[] Probabilities, double Milliseconds);
