using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Splits;

/// <summary>Which images a run trains, chooses and is judged on: ascending indices into <see cref="DatasetManifest.Images"/>.</summary>
/// <param name="Train">Images that the head is trained on.</param>
/// <param name="Validation">Images that choose between heads; empty where a fraction of 0 was asked for.</param>
/// <param name="Test">Images for the figures of the report.</param>
/// <param name="RemovedDuplicates">Images left out of train or validation because the same bytes are in test or validation.</param>
public sealed record DatasetSplit(int[] Train, int[] Validation, int[] Test, int[] RemovedDuplicates)
{
    /// <summary>
    /// Draws the splits. What the source gives is kept; unassigned images are divided, class by class; validation is drawn from train, class by
    /// class, where the source gives none. Equal bytes never stand on two sides. The same arguments give the same split on every machine.
    /// </summary>
    /// <param name="manifest">The data set.</param>
    /// <param name="splitSeed">Seed of what is drawn.</param>
    /// <param name="validationFraction">Part of the training images that becomes validation, at least 0 and below 1; at least one image of every class that has two. Without effect where the source gives validation.</param>
    /// <param name="testFraction">Part of unassigned images that becomes test, above 0 and below 1. Without effect on given splits.</param>
    /// <param name="fold">Number of the given fold that train is restricted to; null for all of train.</param>
    /// <exception cref="DatasetException">The fold does not exist, or a class would have no training image, or the test split no image at all.</exception>
    public static DatasetSplit Draw(
        DatasetManifest manifest,
        int splitSeed,
        double validationFraction,
        double testFraction,
        int? fold = null
    )
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ThrowIfOutOfRange(validationFraction, nameof(validationFraction));
        ThrowIfOutOfRange(testFraction, nameof(testFraction));
        var drawing = new SplitDrawing(manifest, splitSeed);
        var train = drawing.Given(SplitName.Train);
        var validation = drawing.Given(SplitName.Validation);
        var test = drawing.Given(SplitName.Test);
        var unassigned = drawing.Given(SplitName.Unassigned);
        if (unassigned.Count > 0)
        {
            var drawn = drawing.Draw(unassigned, testFraction, "test");
            test = [.. test, .. drawn];
            train = [.. train, .. unassigned.Except(drawn)];
        }

        if (fold is { } number)
        {
            train = [.. train.Intersect(Fold(manifest, number))];
        }

        var removed = new List<int>();
        validation = drawing.RemoveKnown(validation, test, removed);
        train = drawing.RemoveKnown(train, test, removed);
        if (validation.Count > 0)
        {
            train = drawing.RemoveKnown(train, validation, removed);
        }
        else if (validationFraction > 0 && !manifest.Images.Any(image => image.Split == SplitName.Validation))
        {
            validation = drawing.Draw(train, validationFraction, "validation");
            train = [.. train.Except(validation)];
        }

        var split = new DatasetSplit(Sorted(train), Sorted(validation), Sorted(test), Sorted(removed));
        ThrowIfUnusable(manifest, split, fold);
        return split;
    }

    private static void ThrowIfOutOfRange(double fraction, string name)
    {
        if (!(fraction is >= 0 and < 1))
        {
            throw new DatasetException($"{name} is {fraction}; it must be at least 0 and below 1.");
        }
    }

    private static int[] Fold(DatasetManifest manifest, int fold)
    {
        if (manifest.Folds is null)
        {
            throw new DatasetException(
                $"Fold {fold} was asked for, and the data set '{manifest.DisplayName}' has no folds. Leave the fold out."
            );
        }

        return fold >= 0 && fold < manifest.Folds.Count
            ? manifest.Folds[fold]
            : throw new DatasetException(
                $"Fold {fold} was asked for, and the data set '{manifest.DisplayName}' has the folds 0 to {manifest.Folds.Count - 1}."
            );
    }

    private static void ThrowIfUnusable(DatasetManifest manifest, DatasetSplit split, int? fold)
    {
        if (split.Test.Length == 0)
        {
            throw new DatasetException(
                $"The test split of '{manifest.DisplayName}' would be empty: every class has one image, or copies of one. Add images."
            );
        }

        var learnable = split.Train.Select(index => manifest.Images[index].Label).ToHashSet();
        var empty = manifest.ClassNames.Where((_, label) => !learnable.Contains(label)).ToList();
        if (empty.Count > 0)
        {
            var where = fold is null ? "" : $" in fold {fold}";
            throw new DatasetException(
                $"No image is left to train on{where} for {DatasetSource.Plural(empty.Count, "class", "classes")} {DatasetSource.Quote(empty)} of '{manifest.DisplayName}', after {split.RemovedDuplicates.Length} images were removed because the same image is in the test or validation split. Add images, or remove the copies from the test split."
            );
        }
    }

    private static int[] Sorted(List<int> images)
    {
        images.Sort();
        return [.. images];
    }
}
