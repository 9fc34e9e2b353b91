using System.Text.Json;
using CsCheck;
using Distributed.Datasets.Splits;

namespace Distributed.Datasets.Tests;

public sealed class DatasetSplitTests
{
    [Fact]
    public void Drawn_splits_are_disjoint_and_complete_and_no_image_stands_on_two_sides() =>
        Gen.Select(
                Gen.OneOf(
                    FileIndexes.Images(SplitName.Unassigned),
                    FileIndexes.Images(SplitName.Train, SplitName.Test),
                    FileIndexes.Images(SplitName.Train, SplitName.Validation, SplitName.Test),
                    FileIndexes.Images(SplitName.Unassigned, SplitName.Train)
                ),
                Gen.Int,
                Gen.Double[0, 0.5],
                Gen.Double[0.01, 0.5]
            )
            .Sample(
                (images, seed, validationFraction, testFraction) =>
                {
                    var manifest = FileIndexes.Manifest(images, classes: 3);

                    var split = DatasetSplit.Draw(manifest, seed, validationFraction, testFraction);

                    int[][] sides = [split.Train, split.Validation, split.Test, split.RemovedDuplicates];
                    Assert.Equal(Enumerable.Range(0, images.Count), sides.SelectMany(side => side).Order());
                    Assert.All(sides, side => Assert.Equal(side.Order(), side));
                    var hashes = new[] { split.Train, split.Validation, split.Test }
                        .Select(side => side.Select(index => manifest.Images[index].Sha256).ToHashSet())
                        .ToArray();
                    Assert.False(hashes[0].Overlaps(hashes[1]) || hashes[0].Overlaps(hashes[2]) || hashes[1].Overlaps(hashes[2]));
                    Assert.Equal([0, 1, 2], split.Train.Select(index => manifest.Images[index].Label).Distinct().Order());
                    Assert.NotEmpty(split.Test);
                },
                iter: 300
            );

    [Fact]
    public void Given_test_images_stay_in_test() =>
        FileIndexes
            .Images(SplitName.Train, SplitName.Validation, SplitName.Test)
            .Sample(
                images =>
                {
                    var split = DatasetSplit.Draw(FileIndexes.Manifest(images, classes: 3), 0, 0.1, 0.2);

                    Assert.Equal(
                        images.Index().Where(image => image.Item.Split == SplitName.Test).Select(image => image.Index),
                        split.Test
                    );
                    Assert.All(split.Validation, index => Assert.Equal(SplitName.Validation, images[index].Split));
                },
                iter: 100
            );

    [Fact]
    public void Every_class_gives_its_part()
    {
        var manifest = FileIndexes.Manifest([
            .. Enumerable.Range(0, 150).Select(index => (index < 100 ? 0 : 1, SplitName.Unassigned, index)),
        ]);

        var split = DatasetSplit.Draw(manifest, 5, validationFraction: 0.25, testFraction: 0.2);

        Assert.Equal([20, 10], PerClass(split.Test));
        Assert.Equal([20, 10], PerClass(split.Validation));
        Assert.Equal([60, 30], PerClass(split.Train));

        int[] PerClass(int[] images) =>
            [.. images.GroupBy(index => manifest.Images[index].Label).OrderBy(group => group.Key).Select(group => group.Count())];
    }

    [Fact]
    public void The_same_seed_draws_the_same_on_every_machine_and_another_one_differently()
    {
        var manifest = FileIndexes.Manifest([.. Enumerable.Range(0, 40).Select(index => (index % 2, SplitName.Unassigned, index))]);

        var split = DatasetSplit.Draw(manifest, 0, 0.1, 0.2);

        Assert.Equal(JsonSerializer.Serialize(split), JsonSerializer.Serialize(DatasetSplit.Draw(manifest, 0, 0.1, 0.2)));
        Assert.NotEqual(split.Test, DatasetSplit.Draw(manifest, 1, 0.1, 0.2).Test);
        // What was drawn once is part of what published runs mean.
        Assert.Equal("3 12 13 16 25 26 27 36 | 21 22 32 35", string.Join(' ', split.Test) + " | " + string.Join(' ', split.Validation));
    }

    [Fact]
    public void A_fold_restricts_train_and_nothing_else()
    {
        var manifest = FileIndexes.Manifest(
            [
                .. Enumerable.Range(0, 20).Select(index => (index % 2, SplitName.Train, index)),
                (0, SplitName.Test, 100),
                (1, SplitName.Test, 101),
            ],
            folds:
            [
                [.. Enumerable.Range(0, 10)],
                [.. Enumerable.Range(10, 10)],
            ]
        );

        var split = DatasetSplit.Draw(manifest, 0, 0.2, 0.2, fold: 1);

        Assert.Equal(Enumerable.Range(10, 10), split.Train.Concat(split.Validation).Order());
        Assert.Equal(2, split.Validation.Length);
        Assert.Equal([20, 21], split.Test);
    }

    [Fact]
    public void Copies_of_test_images_leave_train_and_validation()
    {
        var manifest = FileIndexes.Manifest([
            (0, SplitName.Train, 0),
            (0, SplitName.Train, 1),
            (0, SplitName.Train, 2),
            (1, SplitName.Train, 3),
            (0, SplitName.Validation, 1),
            (1, SplitName.Validation, 5),
            (0, SplitName.Test, 0),
            (1, SplitName.Test, 5),
        ]);

        var split = DatasetSplit.Draw(manifest, 0, 0.1, 0.2);

        Assert.Equal([2, 3], split.Train);
        Assert.Equal([4], split.Validation);
        Assert.Equal([6, 7], split.Test);
        Assert.Equal([0, 1, 5], split.RemovedDuplicates);
    }

    [Fact]
    public void Without_a_validation_fraction_everything_is_trained_on()
    {
        var manifest = FileIndexes.Manifest([(0, SplitName.Train, 0), (1, SplitName.Train, 1), (0, SplitName.Test, 2)]);

        Assert.Empty(DatasetSplit.Draw(manifest, 0, 0, 0.2).Validation);
    }

    [Fact]
    public void What_cannot_be_drawn_is_refused_with_the_reason()
    {
        var leaky = FileIndexes.Manifest([(0, SplitName.Train, 0), (1, SplitName.Train, 1), (1, SplitName.Test, 1)]);
        var copies = FileIndexes.Manifest([(0, SplitName.Unassigned, 0), (0, SplitName.Unassigned, 0), (1, SplitName.Unassigned, 1)]);
        var folded = FileIndexes.Manifest(
            [(0, SplitName.Train, 0), (1, SplitName.Train, 1), (0, SplitName.Test, 2)],
            folds:
            [
                [0],
            ]
        );

        AssertRefused("'class1'", () => DatasetSplit.Draw(leaky, 0, 0.1, 0.2));
        AssertRefused("test split", () => DatasetSplit.Draw(copies, 0, 0.1, 0.2));
        AssertRefused("has no folds", () => DatasetSplit.Draw(leaky, 0, 0.1, 0.2, fold: 0));
        AssertRefused("0 to 0", () => DatasetSplit.Draw(folded, 0, 0.1, 0.2, fold: 1));
        AssertRefused("in fold 0", () => DatasetSplit.Draw(folded, 0, 0.1, 0.2, fold: 0));
        AssertRefused("validationFraction is 1", () => DatasetSplit.Draw(leaky, 0, 1, 0.2));
        AssertRefused("testFraction is NaN", () => DatasetSplit.Draw(leaky, 0, 0.1, double.NaN));
    }

    private static void AssertRefused(string reason, Action draw) =>
        Assert.Contains(reason, Assert.Throws<DatasetException>(draw).Message, StringComparison.Ordinal);
}
