using System.Globalization;
using System.Text;

namespace Distributed.Datasets.Sources;

/// <summary>
/// A data set that the program draws itself, for trials without a network: ten classes of shapes and textures at 96×96 pixels, in STL-10's binary layout.
/// Colour, place, size and rotation are the same chance for every class, and small shapes of other classes lie about, so that only form tells the classes apart.
/// The same seed and numbers give the same bytes on every machine.
/// </summary>
public static class SampleDataset
{
    // A split is drawn in memory: this is 1.4 GB.
    private const int MaximalImages = 50_000;
    private const int FoldCount = 10;
    private const int TrainStream = 1;
    private const int TestStream = 2;
    private const int FoldStream = 3;
    private const int OrderStream = 4;

    /// <summary>The classes, in label order.</summary>
    public static IReadOnlyList<string> ClassNames { get; } =
    [.. Enum.GetValues<SampleShape>().Select(shape => shape.ToString().ToLowerInvariant())];

    /// <summary>Draws the set. Files of the same names are replaced, each whole.</summary>
    /// <param name="directory">The directory, made where it is missing; afterwards <see cref="DatasetSource.ListAsync"/> reads it.</param>
    /// <param name="seed">Seed of everything in it.</param>
    /// <param name="trainImages">Number of images to train on, at least one a class, at most 50,000.</param>
    /// <param name="testImages">Number of images to test on, at least one a class, at most 50,000.</param>
    /// <param name="cancellationToken">Stops the drawing.</param>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public static async Task WriteAsync(
        string directory,
        int seed,
        int trainImages = 1000,
        int testImages = 500,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        ArgumentOutOfRangeException.ThrowIfLessThan(trainImages, ClassNames.Count);
        ArgumentOutOfRangeException.ThrowIfLessThan(testImages, ClassNames.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(trainImages, MaximalImages);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(testImages, MaximalImages);
        Directory.CreateDirectory(directory);
        var trainLabels = Labels(seed, TrainStream, trainImages);
        var testLabels = Labels(seed, TestStream, testImages);
        await WriteImagesAsync(directory, Stl10Files.TestImages, seed, TestStream, testLabels, cancellationToken);
        await WriteFileAsync(directory, Stl10Files.TestLabels, [.. testLabels.Select(label => (byte)(label + 1))], cancellationToken);
        await WriteFileAsync(directory, Stl10Files.TrainLabels, [.. trainLabels.Select(label => (byte)(label + 1))], cancellationToken);
        await WriteFileAsync(
            directory,
            Stl10Files.ClassNames,
            Encoding.UTF8.GetBytes(string.Join('\n', ClassNames) + "\n"),
            cancellationToken
        );
        await WriteFileAsync(directory, Stl10Files.FoldIndices, Encoding.UTF8.GetBytes(Folds(seed, trainLabels)), cancellationToken);
        // Last: this is the file that the layout is known by.
        await WriteImagesAsync(directory, Stl10Files.TrainImages, seed, TrainStream, trainLabels, cancellationToken);
    }

    private static int[] Labels(int seed, int stream, int count)
    {
        var labels = Enumerable.Range(0, count).Select(index => index % ClassNames.Count).ToArray();
        SampleRandom.For(seed, OrderStream, stream).Shuffle<int>(labels);
        return labels;
    }

    // As in STL-10, a fold is a fifth of the training images, and folds overlap.
    private static string Folds(int seed, int[] labels)
    {
        var text = new StringBuilder();
        for (var fold = 0; fold < FoldCount; fold++)
        {
            var random = SampleRandom.For(seed, FoldStream, fold);
            var indices = new List<int>();
            foreach (var ofClass in Enumerable.Range(0, labels.Length).GroupBy(index => labels[index]).OrderBy(group => group.Key))
            {
                var members = ofClass.ToArray();
                random.Shuffle<int>(members);
                indices.AddRange(members.Take(Math.Max(1, members.Length / 5)));
            }

            text.AppendJoin(' ', indices.Order().Select(index => index.ToString(CultureInfo.InvariantCulture))).Append('\n');
        }

        return text.ToString();
    }

    private static async Task WriteImagesAsync(
        string directory,
        string name,
        int seed,
        int stream,
        int[] labels,
        CancellationToken cancellationToken
    )
    {
        var images = new byte[labels.Length * Stl10Files.ImageBytes];
        await Task.Run(
            () =>
                Parallel.For(
                    0,
                    labels.Length,
                    new ParallelOptions { CancellationToken = cancellationToken },
                    index =>
                        Stl10Layout.ToPlanes(
                            SampleImage.Draw((SampleShape)labels[index], SampleRandom.For(seed, stream, index)),
                            images.AsSpan(index * Stl10Files.ImageBytes, Stl10Files.ImageBytes)
                        )
                ),
            cancellationToken
        );
        await WriteFileAsync(directory, name, images, cancellationToken);
    }

    private static async Task WriteFileAsync(string directory, string name, byte[] content, CancellationToken cancellationToken)
    {
        var target = Path.Combine(directory, name);
        var temporary = $"{target}.{Guid.NewGuid():N}.partial";
        try
        {
            await File.WriteAllBytesAsync(temporary, content, cancellationToken);
            File.Move(temporary, target, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
