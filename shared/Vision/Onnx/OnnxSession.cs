using Distributed.Networks;
using Distributed.Vision.Weights;
using Microsoft.ML.OnnxRuntime;

namespace Distributed.Vision.Onnx;

/// <summary>
/// A model in ONNX Runtime, on the processor and in float32. Images go through it one at a time on as many threads as there are, or as many at a time as the file
/// asks for: so an image's features do not depend on those beside it, memory does not grow with new shapes, and no thread waits for another.
/// </summary>
internal sealed class OnnxSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly OnnxInput _input;
    private readonly string _output;
    private readonly bool _joinsPatches;
    private readonly float[] _table;
    private readonly bool _isBgr;

    /// <summary>Prepares a model.</summary>
    /// <param name="file">The model.</param>
    /// <param name="input">Its images.</param>
    /// <param name="features">The tensor to make features of.</param>
    /// <param name="settings">How it is used.</param>
    /// <exception cref="WeightsException">ONNX Runtime refuses it, or what it gives are no features.</exception>
    public OnnxSession(OnnxFile file, OnnxInput input, OnnxFeatures features, OnnxSettings settings)
    {
        (_input, _output, _isBgr) = (input, features.Tensor, settings.IsBgr);
        _joinsPatches = settings.Output == OnnxSettings.ClassAndPatches;
        _table = Tabulate(settings.Preprocessing);
        _session = Open(file, features.Tensor);
        try
        {
            Size = input.Size ?? OnnxInput.UsualSize;
            FeatureSize = Run(new byte[input.Batch * Size * Size * 3], 1, Size).Length;
        }
        catch (Exception exception) when (exception is not WeightsException)
        {
            _session.Dispose();
            throw new WeightsException($"{file.Source} cannot be run on images of {Size} px: {exception.Message}", exception);
        }
    }

    /// <summary>Height and width that the file fixes, or that features were tried with, pixels.</summary>
    public int Size { get; }

    /// <summary>Numbers that an image is turned into.</summary>
    public int FeatureSize { get; }

    /// <summary>Computes features.</summary>
    /// <param name="pixels">uint8 RGB, [count, size, size, 3].</param>
    /// <param name="count">Images.</param>
    /// <param name="size">Height and width, pixels.</param>
    /// <param name="features">Receives count × <see cref="FeatureSize"/> numbers.</param>
    /// <param name="threads">Threads to use.</param>
    public unsafe void Run(byte* pixels, int count, int size, float* features, int threads)
    {
        var imageBytes = size * size * 3;
        var groups = (count + _input.Batch - 1) / _input.Batch;
        Parallel.For(
            0,
            groups,
            new ParallelOptions { MaxDegreeOfParallelism = threads },
            group =>
            {
                var first = group * _input.Batch;
                var taken = Math.Min(_input.Batch, count - first);
                var values = Run(new ReadOnlySpan<byte>(pixels + ((long)first * imageBytes), taken * imageBytes), taken, size);
                values.CopyTo(new Span<float>(features + ((long)first * FeatureSize), taken * FeatureSize));
            }
        );
    }

    public void Dispose()
    {
        _session.Dispose();
        _run.Dispose();
    }

    /// <summary>One run of the model; images that are missing from its batch are black, and their features left out.</summary>
    private float[] Run(ReadOnlySpan<byte> pixels, int count, int size)
    {
        var batch = new float[(long)_input.Batch * size * size * 3];
        var imageBytes = size * size * 3;
        for (var image = 0; image < count; image++)
        {
            Fill(pixels.Slice(image * imageBytes, imageBytes), batch.AsSpan(image * imageBytes, imageBytes));
        }

        long[] shape = _input.IsChannelsLast ? [_input.Batch, size, size, 3] : [_input.Batch, 3, size, size];
        using var images = OrtValue.CreateTensorValueFromMemory(batch, shape);
        using var results = _session.Run(_run, [_input.Name], [images], [_output]);
        return Reduce(results[0], count);
    }

    /// <summary>Bytes by row, column and channel become normalised numbers in the model's order.</summary>
    private void Fill(ReadOnlySpan<byte> pixels, Span<float> values)
    {
        var plane = pixels.Length / 3;
        for (var channel = 0; channel < 3; channel++)
        {
            var table = _table.AsSpan(256 * channel, 256);
            var place = _isBgr ? 2 - channel : channel;
            var (start, step) = _input.IsChannelsLast ? (place, 3) : (place * plane, 1);
            for (int i = channel, target = start; i < pixels.Length; i += 3, target += step)
            {
                values[target] = table[pixels[i]];
            }
        }
    }

    private float[] Reduce(OrtValue output, int count)
    {
        var info = output.GetTensorTypeAndShape();
        if (info.ElementDataType != Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float)
        {
            throw new WeightsException(
                $"The output '{_output}' is of the type {info.ElementDataType}; features are float32. Name another output."
            );
        }

        var values = output.GetTensorDataAsSpan<float>();
        var shape = info.Shape;
        if (shape is not [var batch, ..] || batch != _input.Batch || values.Length == 0)
        {
            throw new WeightsException($"The output '{_output}' [{string.Join(", ", shape)}] has no row an image. Name another output.");
        }

        var perImage = values.Length / (int)batch;
        var width = WidthOf(shape);
        var features = new float[count * width];
        for (var image = 0; image < count; image++)
        {
            Reduce(values.Slice(image * perImage, perImage), shape, features.AsSpan(image * width, width));
        }

        return features;
    }

    private int WidthOf(long[] shape) =>
        shape switch
        {
            [_, var width] => (int)width,
            [_, > 0, var width] => (int)(_joinsPatches ? 2 * width : width),
            [_, var channels, _, _] when !_input.IsChannelsLast => (int)channels,
            [_, _, _, var channels] => (int)channels,
            _ => throw new WeightsException(
                $"The output '{_output}' [{string.Join(", ", shape)}] is neither a vector nor tokens nor a map. Name another output."
            ),
        };

    /// <summary>A vector is taken as it is; of tokens the first one, with the mean of the others where asked; of a map the mean.</summary>
    private void Reduce(ReadOnlySpan<float> values, long[] shape, Span<float> features)
    {
        switch (shape)
        {
            case [_, _]:
                values.CopyTo(features);
                break;
            case [_, var tokens, var width]:
                values[..(int)width].CopyTo(features);
                if (_joinsPatches)
                {
                    Average(values[(int)width..], (int)tokens - 1, (int)width, 1, features[(int)width..]);
                }

                break;
            case [_, var channels, var rows, var columns] when !_input.IsChannelsLast:
                Average(values, (int)(rows * columns), 1, (int)(rows * columns), features[..(int)channels]);
                break;
            case [_, var rows, var columns, var channels]:
                Average(values, (int)(rows * columns), (int)channels, 1, features[..(int)channels]);
                break;
        }
    }

    /// <summary>Means in double precision.</summary>
    /// <param name="values">The numbers.</param>
    /// <param name="count">Numbers of each mean.</param>
    /// <param name="step">From one of them to the next.</param>
    /// <param name="next">From a mean's first to the next mean's.</param>
    /// <param name="means">Receives them.</param>
    private static void Average(ReadOnlySpan<float> values, int count, int step, int next, Span<float> means)
    {
        for (var i = 0; i < means.Length; i++)
        {
            var sum = 0.0;
            for (var k = 0; k < count; k++)
            {
                sum += values[(i * next) + (k * step)];
            }

            means[i] = (float)(sum / Math.Max(1, count));
        }
    }

    private static float[] Tabulate(Preprocessing preprocessing)
    {
        var table = new float[3 * 256];
        for (var i = 0; i < table.Length; i++)
        {
            table[i] = ((i % 256 / 255f) - preprocessing.Mean[i / 256]) / preprocessing.Std[i / 256];
        }

        return table;
    }

    private static InferenceSession Open(OnnxFile file, string features)
    {
        using var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
        };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        try
        {
            return new InferenceSession(file.WithOutput(features), options);
        }
        catch (OnnxRuntimeException exception)
        {
            throw new WeightsException($"ONNX Runtime cannot load {file.Source}: {exception.Message}", exception);
        }
    }
}
