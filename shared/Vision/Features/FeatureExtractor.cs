using System.Runtime.InteropServices;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Features;

/// <summary>
/// Turns images into features in batches. The batches are cut from the first image on, always alike, so that the same
/// images in the same call give the same bits on one processor model and thread count.
/// </summary>
/// <remarks>Not for several threads at once; see <see cref="IBackbone"/>.</remarks>
public sealed class FeatureExtractor : IDisposable
{
    private const int SmallestDefault = 16,
        LargestDefault = 128,
        NativeSize = 96;

    /// <summary>A GPU is kept busy by so many times the images that a processor's caches hold (measured on an H200).</summary>
    private const int GpuFactor = 8;

    /// <summary>Where any batch is taken: pixels between two looks at the cancellation, about a second of work.</summary>
    private const int AnyBatchPixels = 512 * NativeSize * NativeSize;

    private readonly IBackbone _backbone;
    private readonly torch.Tensor?[] _staging = new torch.Tensor?[2];
    private int _turn;

    /// <summary>Prepares extraction.</summary>
    /// <param name="backbone">Weights; they are copied, and the caller keeps the backbone.</param>
    /// <param name="precision">Arithmetic; it changes features in their third digit.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="batchSize">Images that are computed together, at least 1; more where the backbone takes any batch.</param>
    public FeatureExtractor(IBackbone backbone, Precision precision, torch.Device device, int batchSize = 32)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        BatchSize = batchSize;
        _backbone = backbone.ConvertTo(precision, device);
    }

    /// <summary>
    /// Images to compute together where nothing was measured: on a processor 64 at 96 px, fewer of larger ones, a power of two;
    /// eight times as many on a GPU.
    /// </summary>
    /// <param name="size">Height and width of the images, pixels.</param>
    /// <param name="device">Where to compute.</param>
    public static int DefaultBatchSizeFor(int size, DeviceType device)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var batch = LargestDefault;
        while (batch > SmallestDefault && (long)batch * size * size > 64L * NativeSize * NativeSize)
        {
            batch /= 2;
        }

        return device == DeviceType.CUDA ? batch * GpuFactor : batch;
    }

    /// <summary>Images that are computed together; halved where the device has not the memory for as many.</summary>
    public int BatchSize { get; private set; }

    /// <summary>Feature dimension: the numbers that an image is turned into.</summary>
    public int FeatureSize => _backbone.FeatureSize;

    /// <summary>Computes features.</summary>
    /// <param name="images">uint8 RGB, [count, size, size, 3].</param>
    /// <param name="count">Images.</param>
    /// <param name="size">Height and width, pixels.</param>
    /// <param name="features">Receives count × <see cref="FeatureSize"/> numbers, row-major.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    /// <exception cref="ArgumentException">A span has another length, or the images are too small for the backbone.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the features are incomplete.</exception>
    /// <exception cref="InvalidOperationException">The device has not the memory for a single image.</exception>
    /// <exception cref="WeightsException">A feature is not a finite number.</exception>
    public void Extract(ReadOnlySpan<byte> images, int count, int size, Span<float> features, CancellationToken cancellationToken = default)
    {
        var imageLength = checked(size * size * 3);
        if (images.Length != (long)count * imageLength || features.Length != (long)count * FeatureSize)
        {
            throw new ArgumentException(
                $"{count} images of {size} px are {(long)count * imageLength} bytes and {(long)count * FeatureSize} features, not "
                    + $"{images.Length} and {features.Length}."
            );
        }

        using var scope = torch.NewDisposeScope();
        var (begun, computing) = (0, default(torch.Tensor));
        var any = _backbone.TakesAnyBatch ? AnyBatchPixels / (size * size) : 0;
        while (begun < count)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var taken = Math.Min(Math.Max(any, BatchSize), count - begun);
            torch.Tensor next;
            try
            {
                next = Begin(images.Slice(begun * imageLength, taken * imageLength), taken, size);
            }
            catch (Exception error) when (DeviceErrors.IsOutOfMemory(error))
            {
                BatchSize =
                    taken > 1
                        ? taken / 2
                        : throw new InvalidOperationException(
                            $"{_backbone.Device} has not the memory to compute a single image of {size} px: {error.Message}",
                            error
                        );
                continue;
            }

            // A GPU computes by itself: these images are on their way to it before anybody waits for the ones before.
            features = Collect(computing, features);
            (begun, computing) = (begun + taken, next);
        }

        Collect(computing, features);
    }

    /// <summary>Computes features into a new matrix.</summary>
    /// <inheritdoc cref="Extract(ReadOnlySpan{byte}, int, int, Span{float}, CancellationToken)"/>
    public FeatureMatrix Extract(ReadOnlySpan<byte> images, int count, int size, CancellationToken cancellationToken = default)
    {
        var values = new float[checked(count * FeatureSize)];
        Extract(images, count, size, values, cancellationToken);
        return new FeatureMatrix(values, count, FeatureSize);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Array.ForEach(_staging, staging => staging?.Dispose());
        _backbone.Dispose();
    }

    /// <summary>Waits for features, if there are any, and copies them.</summary>
    /// <returns>Where the next ones go.</returns>
    private Span<float> Collect(torch.Tensor? computing, Span<float> features)
    {
        if (computing is null)
        {
            return features;
        }

        using (computing)
        {
            using var scope = torch.NewDisposeScope();
            var values = MemoryMarshal.Cast<byte, float>(computing.cpu().contiguous().bytes);
            ThrowIfNotFinite(values);
            values.CopyTo(features);
            return features[values.Length..];
        }
    }

    /// <summary>Weights may be finite, and what they make of an image may not be: heads would learn nothing from it, or NaN.</summary>
    private void ThrowIfNotFinite(ReadOnlySpan<float> values)
    {
        var (count, images) = (0, 0);
        for (var start = 0; start < values.Length; start += FeatureSize)
        {
            var before = count;
            foreach (var value in values.Slice(start, FeatureSize))
            {
                count += float.IsFinite(value) ? 0 : 1;
            }

            images += count > before ? 1 : 0;
        }

        if (count > 0)
        {
            var remedy = _backbone.Precision == Precision.Fp32 ? "Take other weights." : "Give the precision fp32, or take other weights.";
            throw new WeightsException(
                $"{_backbone.Origin}: of {images} {(images == 1 ? "image" : "images")}, {count} "
                    + $"{(count == 1 ? "feature is not a finite number" : "features are not finite numbers")}, computed in "
                    + $"{_backbone.Precision.ToString().ToLowerInvariant()}, though all weights are. {remedy}"
            );
        }
    }

    private torch.Tensor Begin(ReadOnlySpan<byte> images, int count, int size)
    {
        using var scope = torch.NewDisposeScope();
        var batch =
            _backbone.Device.type == DeviceType.CUDA
                ? Staging(size).narrow(0, 0, count)
                : torch.empty([count, size, size, 3], dtype: torch.ScalarType.Byte);
        images.CopyTo(batch.bytes);
        return _backbone.Features(batch).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Memory that stays in its place, from which alone a GPU copies by itself. Two take turns: when one is filled again, the
    /// features of the images that it held have been collected.
    /// </summary>
    private torch.Tensor Staging(int size)
    {
        _turn = 1 - _turn;
        if (_staging[_turn] is not { } staging || staging.shape[0] < BatchSize || staging.shape[1] != size)
        {
            _staging[_turn]?.Dispose();
            _staging[_turn] = torch.empty([BatchSize, size, size, 3], dtype: torch.ScalarType.Byte).pin_memory().DetachFromDisposeScope();
        }

        return _staging[_turn]!;
    }
}
