using Distributed.Contracts;
using Distributed.Vision.Features;
using TorchSharp;

namespace Distributed.Vision.Heads;

/// <summary>
/// Measures features by the heads that can be trained on them: each image is judged by a linear head that has not seen it. The penalty of each
/// fold's head is chosen on another fold, as a run chooses it on its validation images.
/// </summary>
/// <remarks>Call it from one dedicated thread: see <see cref="Devices.TensorThread"/>.</remarks>
public static class CrossValidation
{
    /// <summary>Parts that the images are cut into.</summary>
    public const int Folds = 5;

    /// <summary>Ten times apart, since bases are compared and not tuned.</summary>
    private static readonly double[] _penalties = [1, 0.1, 0.01, 0.001];

    /// <summary>Judges images.</summary>
    /// <param name="features">Of all images.</param>
    /// <param name="labels">Zero-based class of each.</param>
    /// <param name="classes">Classes, at least 2.</param>
    /// <param name="cancellationToken">Looked at between steps.</param>
    /// <returns>For each image, whether the head had it right.</returns>
    /// <exception cref="ArgumentException">There are fewer images than folds.</exception>
    /// <exception cref="HeadTrainingException">The features are not fit for training.</exception>
    public static bool[] Judge(FeatureMatrix features, int[] labels, int classes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentOutOfRangeException.ThrowIfLessThan(labels.Length, Folds);
        var folds = FoldsOf(labels);
        var right = new bool[labels.Length];
        for (var fold = 0; fold < Folds; fold++)
        {
            var (judged, choosing) = (fold, (fold + 1) % Folds);
            int[] test = Of(judged);
            using var data = FeatureData.Create(
                features,
                labels,
                [.. Enumerable.Range(0, labels.Length).Where(i => folds[i] != judged && folds[i] != choosing)],
                Of(choosing),
                torch.CPU
            );
            var trained = HeadTraining
                .Start(HeadDefinition.Linear, new RegularisationPathOptions(_penalties), data, classes)
                .Train(data, () => false, cancellationToken);
            var logits = TrainedHead.Load(trained.State.ExportBest()).Logits(new FeatureSubset(features, test));
            for (var i = 0; i < test.Length; i++)
            {
                var row = logits.AsSpan(i * classes, classes);
                right[test[i]] = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(row) == labels[test[i]];
            }

            int[] Of(int number) => [.. Enumerable.Range(0, labels.Length).Where(i => folds[i] == number)];
        }

        return right;
    }

    /// <summary>The images of a class go to the folds in turns, and where one class ends the next goes on, so that folds are of one size.</summary>
    private static int[] FoldsOf(int[] labels)
    {
        var folds = new int[labels.Length];
        foreach (var (turn, image) in Enumerable.Range(0, labels.Length).OrderBy(i => labels[i]).Index())
        {
            folds[image] = turn % Folds;
        }

        return folds;
    }
}
