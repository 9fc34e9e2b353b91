using Distributed.Contracts;

namespace Distributed.Catalog.Tests;

public sealed class RunWarningsTests
{
    private static readonly IngestionSummary Input = new()
    {
        Name = "pets",
        Source = "/data/pets",
        Files = 100,
        Images = 100,
        Classes = 2,
        Splits = new GivenSplits(0, 0, 0, 100),
        Notes = [],
        SkippedCount = 0,
        SkippedByReason = [],
        Skipped = [],
        Duplicates = new DuplicateCounts(0, 0, 0, 0),
        Contradictions = [],
        ContradictingClasses = [],
    };

    [Fact]
    public void A_run_on_a_plain_input_has_no_warnings()
    {
        Assert.Empty(Of(Input));
        Assert.Null(RunWarnings.FindFailure(Input, new RunSpecification { MaxSkipped = 0 }));
        Assert.Equal("none of 100 files", Input.DescribeSkipped());
        Assert.Null(Input.DescribeDuplicates());
    }

    [Theory]
    [InlineData(5, false)]
    [InlineData(6, true)]
    public void Skipped_files_are_warned_of_beyond_a_few_per_cent(int skipped, bool warns)
    {
        var warnings = Of(Skipping(skipped));

        Assert.Equal(warns, warnings.Count == 1);
        if (warns)
        {
            Assert.Equal("6 % of the files were skipped, 6 of 100 files: 6 unsupported format (convert them to JPEG or PNG).", warnings[0]);
        }
    }

    [Theory]
    [InlineData(50, 0.5, false)]
    [InlineData(51, 0.5, true)]
    [InlineData(51, 0.51, false)]
    [InlineData(1, 0, true)]
    [InlineData(100, 1, false)]
    public void More_skipped_files_than_the_specification_allows_are_a_failure_that_says_what_to_do(int skipped, double allowed, bool fails)
    {
        var failure = RunWarnings.FindFailure(Skipping(skipped), new RunSpecification { MaxSkipped = allowed });

        Assert.Equal(fails, failure is not null);
        if (fails)
        {
            Assert.StartsWith("'/data/pets'", failure, StringComparison.Ordinal);
            Assert.Contains(
                $"{skipped} of 100 files: {skipped} unsupported format (convert them to JPEG or PNG)",
                failure,
                StringComparison.Ordinal
            );
            Assert.Contains("raise maxSkipped", failure, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void One_image_in_two_classes_is_warned_of_with_names_and_a_copied_class_is_named()
    {
        var warning = Assert.Single(
            Of(
                Input with
                {
                    Duplicates = new DuplicateCounts(8, 8, 0, 8),
                    Contradictions =
                    [
                        new ContradictingImage([
                            new LabelledImage("cat/1.jpg", "cat"),
                            new LabelledImage("cat (copy)/1.jpg", "cat (copy)"),
                        ]),
                    ],
                    ContradictingClasses =
                    [
                        new ContradictingClasses("cat", "cat (copy)", 7, "cat (copy)"),
                        new ContradictingClasses("cat", "dog", 1, null),
                    ],
                }
            )
        );

        Assert.Equal(
            "8 images are in more than one class, bit for bit: 'cat' and 'cat (copy)' (7), 'cat' and 'dog' (1); for example 'cat/1.jpg' and 'cat (copy)/1.jpg'. Such labels contradict each other: keep each image in one class. All images of 'cat (copy)' are in 'cat' too: remove that folder if it is a copy.",
            warning
        );
    }

    [Theory]
    [InlineData(5, false)]
    [InlineData(6, true)]
    public void Splits_that_overlap_are_warned_of(int removed, bool warns)
    {
        var run = TestCatalog.NewRun();
        (run.RemovedDuplicates, run.TrainImages) = (removed, 100 - removed);

        Assert.Equal(warns, RunWarnings.Of(run, new RunSpecification(), Input, []).Count == 1);
    }

    [Fact]
    public void Classes_without_test_images_are_named_and_those_the_mean_leaves_out_are_counted()
    {
        var warning = Assert.Single(
            RunWarnings.Of(TestCatalog.NewRun(), new RunSpecification(), Input, [Class("a", 3, 1), Class("b", 0, 0), Class("c", 0, null)])
        );

        Assert.StartsWith("2 of 3 classes have no test image: 'b', 'c'.", warning, StringComparison.Ordinal);
        Assert.EndsWith("1, never predicted either, is left out of the mean F1.", warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("demo", "sample", 96, null)]
    [InlineData("demo", "stl10", 96, null)]
    [InlineData("demo", "clothing", 96, "knows little of your images")]
    [InlineData("demo", "/data/pets", 96, "use the backbone imagenet with the input size 224")]
    [InlineData("imagenet", "/data/pets", 96, "an input size of 224 is usually much more accurate")]
    [InlineData("imagenet", "/data/pets", 224, null)]
    [InlineData("random", "/data/pets", 96, null)]
    public void A_backbone_that_does_not_fit_leads_to_one_that_does(string backbone, string dataset, int inputSize, string? said)
    {
        var warnings = RunWarnings.Of(
            TestCatalog.NewRun(),
            new RunSpecification
            {
                Backbone = backbone,
                Dataset = dataset,
                InputSize = inputSize,
            },
            Input,
            []
        );

        if (said is null)
        {
            Assert.Empty(warnings);
        }
        else
        {
            Assert.Contains(said, Assert.Single(warnings), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0, 0, 0, 9, "none given; train, validation and test are drawn")]
    [InlineData(7, 0, 2, 0, "given: 7 train, 2 test; validation is drawn from train")]
    [InlineData(6, 1, 2, 0, "given: 6 train, 1 validation, 2 test")]
    [InlineData(0, 0, 2, 7, "given: 2 test; the other 7 images are divided by drawing")]
    public void What_is_given_and_what_is_drawn_is_said(int train, int validation, int test, int unassigned, string said) =>
        Assert.Equal(said, (Input with { Splits = new GivenSplits(train, validation, test, unassigned) }).DescribeSplits());

    private static IReadOnlyList<string> Of(IngestionSummary input) =>
        RunWarnings.Of(TestCatalog.NewRun(), new RunSpecification(), input, []);

    private static IngestionSummary Skipping(int count) =>
        Input with
        {
            Images = 100 - count,
            SkippedCount = count,
            SkippedByReason = [new SkippedByReason("unsupportedFormat", "unsupported format", count, "convert them to JPEG or PNG")],
        };

    private static ClassMetric Class(string name, int support, double? f1) =>
        new()
        {
            RunId = Guid.Empty,
            Label = 0,
            ClassName = name,
            Precision = f1,
            Recall = support == 0 ? null : 1,
            F1 = f1,
            Support = support,
        };
}
