using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Distributed.Catalog;
using Distributed.Evaluation.Reporting;
using Distributed.Vision.Metrics;

namespace Distributed.Browser.Tests;

public sealed partial class ReportWriterTests
{
    [Fact]
    public async Task The_same_model_gives_the_same_bytes_in_every_culture()
    {
        var before = CultureInfo.CurrentCulture;
        var bytes = await SampleReports.RenderAsync(SampleReports.Create());
        try
        {
            var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            culture.NumberFormat.NumberDecimalSeparator = ",";
            culture.NumberFormat.NumberGroupSeparator = ".";
            culture.NumberFormat.NegativeSign = "~";
            CultureInfo.CurrentCulture = culture;
            Assert.Equal(bytes, await SampleReports.RenderAsync(SampleReports.Create()));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public async Task It_is_one_file_that_refers_to_no_other()
    {
        var html = await SampleReports.RenderTextAsync(SampleReports.Create());

        Assert.StartsWith("<!DOCTYPE html>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("http:", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("https:", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("url(", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("@import", html, StringComparison.OrdinalIgnoreCase);
        Assert.All(
            Reference().Matches(html),
            reference =>
                Assert.True(
                    reference.Groups["address"].Value.StartsWith('#')
                        || reference.Groups["address"].Value.StartsWith("data:", StringComparison.Ordinal),
                    reference.Value
                )
        );
    }

    [Theory]
    [InlineData(2, 1, false, true)]
    [InlineData(2, 0, false, false)]
    [InlineData(3, 1, true, false)]
    [InlineData(30, 61, true, false)]
    [InlineData(31, 201, true, false)]
    [InlineData(1000, 3, false, false)]
    public async Task Small_and_large_runs_give_whole_documents(int classes, int epochs, bool validated, bool perfect)
    {
        var html = await SampleReports.RenderTextAsync(SampleReports.Create(classes, epochs, imagesPerClass: 50, validated, perfect));

        AssertBalanced(html);
        Assert.Equal(classes <= 30, html.Contains("id=\"matrix\"", StringComparison.Ordinal));
        Assert.Equal(perfect, html.Contains("None: every test image was classified rightly.", StringComparison.Ordinal));
        Assert.Equal(epochs == 0, html.Contains("has no learning curve", StringComparison.Ordinal));
        Assert.Equal(validated, html.Contains("line validation", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Penalties_are_not_called_epochs()
    {
        var model = SampleReports.Create(epochs: 4);
        var html = await SampleReports.RenderTextAsync(
            model with
            {
                Epochs = [.. model.Epochs.Select(epoch => epoch with { LearningRate = null, Penalty = 1.0 / (1 << epoch.Epoch) })],
                BestEpoch = 3,
            }
        );

        // But for the command that repeats the run, which is the sample's.
        var texts = Tag()
            .Replace(html[html.IndexOf("<body", StringComparison.Ordinal)..], " ")
            .Replace("--epochs 30", "", StringComparison.Ordinal);
        Assert.DoesNotContain("epoch", texts, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("penalty 0.125, the best of 4", html, StringComparison.Ordinal);
        Assert.Contains("Best penalty: 3.", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hostile_texts_leave_the_document_whole()
    {
        var html = await SampleReports.RenderTextAsync(SampleReports.Hostile());

        AssertBalanced(html);
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img src=x", html, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task What_is_not_a_number_is_shown_as_missing()
    {
        var model = SampleReports.Create(epochs: 4);
        var html = await SampleReports.RenderTextAsync(
            model with
            {
                Epochs =
                [
                    .. model.Epochs,
                    new ReportEpoch(5, double.NaN, double.NaN, double.PositiveInfinity, double.NaN, double.NaN),
                    new ReportEpoch(6, double.MaxValue, 0, -1e300, 1, 0),
                ],
                Evaluation = model.Evaluation with
                {
                    Loss = double.NaN,
                    MacroF1 = double.NaN,
                    Classes =
                    [
                        .. model.Evaluation.Classes.Select(metric =>
                            metric with
                            {
                                Precision = double.NaN,
                                Recall = null,
                                F1 = double.NaN,
                            }
                        ),
                    ],
                },
                Gallery = [new ReportSample(new ReportPicture([], "no picture"), 99, -1, double.NaN, double.NaN)],
                Mistakes = [],
                Audit = new ReportAudit { UnleakedAccuracy = double.NaN, LeakedTestImages = 1 },
                Reliability = new ReportReliability(
                    double.NaN,
                    double.NaN,
                    double.NaN,
                    [new ReliabilityBin(0, 1, 3, double.NaN, double.NaN)]
                ),
                Stages = new ReportStages(null, double.NaN, -1, 7300, double.PositiveInfinity, FeatureCacheHit: true),
            }
        );

        AssertBalanced(html);
        Assert.DoesNotContain("NaN", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Infinity", html, StringComparison.Ordinal);
        Assert.DoesNotContain("∞", html, StringComparison.Ordinal);
        Assert.Contains("class 99", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Thousands_of_epochs_stay_small_and_keep_their_spike()
    {
        var model = SampleReports.Create(epochs: 10_000);
        var spiked = model with
        {
            Audit = new ReportAudit(),
            Epochs = [.. model.Epochs.Select(epoch => epoch.Epoch == 3457 ? epoch with { TrainLoss = 1e7 } : epoch)],
        };

        var html = await SampleReports.RenderTextAsync(spiked);

        Assert.True(html.Length < 300_000, $"{html.Length} characters");
        Assert.Contains(" 26L", Curve().Match(html).Groups["line"].Value, StringComparison.Ordinal);
        Assert.Contains("6666 (best)", html, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1.0, "100.0")]
    [InlineData(0.99996, "&gt; 99.9")]
    [InlineData(0.00001, "&lt; 0.1")]
    [InlineData(0.0, "0.0")]
    public async Task No_accuracy_is_rounded_to_all_or_nothing(double accuracy, string expected)
    {
        var model = SampleReports.Create();
        var html = await SampleReports.RenderTextAsync(model with { Evaluation = model.Evaluation with { Accuracy = accuracy } });

        Assert.Contains($"id=\"accuracy\">{expected}<", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task At_most_twenty_skipped_files_are_named_and_the_rest_counted()
    {
        var model = SampleReports.Create();
        var html = await SampleReports.RenderTextAsync(
            model with
            {
                Dataset = model.Dataset with
                {
                    Input = model.Dataset.Input with
                    {
                        SkippedCount = 1234,
                        Skipped = [.. Enumerable.Range(0, 50).Select(index => new SkippedInput($"bad{index:00}", "damaged", "broken"))],
                    },
                },
            }
        );

        Assert.Contains("bad19", html, StringComparison.Ordinal);
        Assert.DoesNotContain("bad20", html, StringComparison.Ordinal);
        Assert.Contains("and 1,214 more.", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_share_of_nothing_is_not_shown_as_a_figure_and_is_counted()
    {
        var model = SampleReports.Create();
        var html = await SampleReports.RenderTextAsync(
            model with
            {
                Evaluation = model.Evaluation with
                {
                    TopKAccuracy = null,
                    Classes = [.. model.Evaluation.Classes.SkipLast(1), new ReportClassMetric(null, null, null, 0)],
                },
            }
        );

        Assert.Equal(3, html.Split(">n/a</td>").Length - 1);
        Assert.Contains("the mean over the classes that occur among test images or predictions: 9 of 10.", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Top-", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Warnings_input_and_contradicting_labels_are_shown()
    {
        var html = await SampleReports.RenderTextAsync(SampleReports.Create());

        Assert.Contains("6.3 % of the files were skipped", html, StringComparison.Ordinal);
        Assert.Contains("<dt>Read as</dt><dd>&#x27;testing&#x27; is read as the test split.</dd>", html, StringComparison.Ordinal);
        Assert.Contains("given: 5,000 train, 1,000 test; validation is drawn from train", html, StringComparison.Ordinal);
        Assert.Contains(
            "23 of 6,023 files: 20 unsupported format (it is a HEIC image, which is not read; convert it to JPEG or PNG), 3 damaged (copy them again from their source)",
            html,
            StringComparison.Ordinal
        );
        Assert.Contains("train/dog/0123.jpg", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_matrix_that_does_not_fit_the_classes_is_refused()
    {
        var model = SampleReports.Create();
        var uneven = model with
        {
            Evaluation = model.Evaluation with
            {
                ConfusionMatrix =
                [
                    [1, 0],
                    [0, 1],
                ],
            },
        };
        var short_ = model with { Evaluation = model.Evaluation with { Classes = [] } };

        await Assert.ThrowsAsync<ArgumentException>(() => SampleReports.RenderAsync(uneven));
        await Assert.ThrowsAsync<ArgumentException>(() => SampleReports.RenderAsync(short_));
    }

    [Fact]
    public async Task The_stream_stays_open_and_writing_can_be_cancelled()
    {
        using var stream = new MemoryStream();
        await ReportWriter.WriteAsync(stream, SampleReports.Create(), TestContext.Current.CancellationToken);
        Assert.True(stream.CanWrite);
        Assert.NotEqual(0xEF, stream.ToArray()[0]);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            ReportWriter.WriteAsync(stream, SampleReports.Create(), new CancellationToken(canceled: true))
        );
    }

    /// <summary>Every element that begins ends, in order, where HTML wants it to.</summary>
    private static void AssertBalanced(string html)
    {
        string[] empty = ["meta", "link", "img", "path", "circle"];
        var open = new Stack<string>();
        foreach (Match tag in Tag().Matches(html[html.IndexOf("</style>", StringComparison.Ordinal)..].Insert(0, "<html><head><style>")))
        {
            var name = tag.Groups["name"].Value;
            if (empty.Contains(name))
            {
                continue;
            }

            if (tag.Groups["slash"].Length == 0)
            {
                open.Push(name);
            }
            else
            {
                Assert.Equal(open.Pop(), name);
            }
        }

        Assert.Empty(open);
    }

    [GeneratedRegex("""<(?<slash>/?)(?<name>[a-z][a-z0-9]*)(\s+[a-zA-Z-]+(="[^"<>]*")?)*\s*/?>""", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Tag();

    [GeneratedRegex(""" (src|href|srcset|action|poster|data)="(?<address>[^"]*)""", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Reference();

    [GeneratedRegex("""<path class="line train" d="(?<line>[^"]*)"/>(?!<circle)""", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Curve();
}
