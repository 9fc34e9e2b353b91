using System.Text;
using Distributed.Catalog;
using Distributed.Evaluation.Reporting;
using Distributed.Vision.Metrics;

namespace Distributed.Browser.Tests;

/// <summary>Made-up reports whose figures agree with each other.</summary>
internal static class SampleReports
{
    private static readonly string[] TenNames = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];

    /// <summary>A report of so many classes and epochs.</summary>
    public static ReportModel Create(
        int classes = 10,
        int epochs = 24,
        int imagesPerClass = 100,
        bool validated = true,
        bool perfect = false
    )
    {
        string[] names = classes == TenNames.Length ? TenNames : [.. Enumerable.Range(0, classes).Select(label => $"kind {label:000}")];
        var matrix = Matrix(classes, imagesPerClass, perfect);
        var tests = classes * imagesPerClass;
        var accuracy = Enumerable.Range(0, classes).Sum(label => matrix[label][label]) / (double)tests;
        var (low, high) = Wilson(accuracy, tests);
        var best = Math.Max(1, epochs * 2 / 3);
        return new ReportModel
        {
            Run = new ReportRun
            {
                Id = "0193a5d2-7c1e-7b1a-9f60-2f4e0c1d8b77",
                Name = "Ten kinds, linear head",
                Tags = ["baseline", "96 px"],
                Submitter = "ada",
            },
            Dataset = new ReportDataset
            {
                Input = Input(tests, classes),
                Sha256 = Hash('d'),
                ClassNames = names,
                TrainImages = 4500,
                ValidationImages = validated ? 500 : 0,
                TestImages = tests,
                DuplicatesRemoved = 4,
            },
            Features = new ReportFeatures
            {
                BackboneOrigin = "DenseNet-121, demo weights trained on CIFAR-10 at 96 px (86 % there)",
                BackboneSha256 = Hash('a'),
                Key = Hash('f'),
                Precision = "bf16",
                InputSize = 96,
                Fit = "shorter side to the size, centre cut out",
                Preprocessing = "RGB in 0 to 1, antialiased bicubic, minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225)",
            },
            Head = new ReportHead { Kind = "linear", Sha256 = Hash('b') },
            Epochs = [.. Enumerable.Range(1, epochs).Select(epoch => Epoch(epoch, best, validated))],
            BestEpoch = epochs == 0 ? null : best,
            Evaluation = new ReportEvaluation
            {
                Accuracy = accuracy,
                AccuracyLow = low,
                AccuracyHigh = high,
                TestImages = tests,
                Loss = 0.4812,
                TopK = Math.Min(5, classes),
                TopKAccuracy = perfect ? 1 : 0.987,
                MacroF1 = perfect ? 1 : accuracy - 0.002,
                Classes = [.. Enumerable.Range(0, classes).Select(label => Metric(matrix, label))],
                ConfusionMatrix = matrix,
            },
            Reliability = new ReportReliability(0.021, 0.084, 1.38, [.. Enumerable.Range(0, Reliability.BinCount).Select(Bin)]),
            Audit = perfect
                ? new ReportAudit { Judged = 5000 }
                : new ReportAudit
                {
                    Judged = 5000,
                    Doubted = 431,
                    Suspects = [.. Enumerable.Range(40, 5).Select(index => Sample(index, classes, right: false))],
                    LeakedTestImages = 17,
                    Duplicates = [.. Enumerable.Range(60, 3).Select(index => Pair(index, classes))],
                    UnleakedAccuracy = accuracy - 0.004,
                    UnleakedAccuracyLow = low - 0.004,
                    UnleakedAccuracyHigh = high - 0.004,
                },
            Gallery = [.. Enumerable.Range(0, 14).Select(index => Sample(index, classes, perfect || index % 5 != 3))],
            Mistakes = perfect ? [] : [.. Enumerable.Range(20, 7).Select(index => Sample(index, classes, right: false))],
            Warnings =
            [
                "6.3 % of the files were skipped, 23 of 5,523 files: 20 unsupported format (HEIC; convert it to JPEG or PNG), 3 damaged (copy them again from their source).",
            ],
            Notes = ["STL-10's images come from labelled ImageNet images: ImageNet weights may have seen them."],
            Stages = new ReportStages(2.31, 48.7, 3.4, 0.62, 57.9, FeatureCacheHit: false),
            Repeat = new ReportRepeat
            {
                SpecificationJson = "{\n  \"dataset\": \"/data/ten-kinds\",\n  \"head\": { \"kind\": \"linear\" },\n  \"seed\": 7\n}",
                CommandLine =
                    "distributed run --dataset /data/ten-kinds --backbone demo --input-size 96 --head linear --epochs 30 --seed 7",
                Environment =
                [
                    new("Processor", "Intel Xeon Platinum 8481C, AVX-512 BF16"),
                    new("Threads", "2"),
                    new("Device", "CPU"),
                    new("TorchSharp", "0.107.0"),
                    new("LibTorch", "2.10.0"),
                    new("Program", "0.1.0"),
                ],
                Seeds = [new("Training", "7"), new("Splits", "0")],
            },
        };
    }

    /// <summary>A name that does harm wherever it is not encoded: in text, in either kind of attribute, in a comment, in a style.</summary>
    public const string HostileText =
        "--></style></title></textarea><script>window.hacked=true</script>\"'><img src=x onerror=window.hacked=true onmouseover=alert(1)>&lt;&amp;{{}}`/*\u202Eevil";

    /// <summary>A report with a hostile text wherever a text goes.</summary>
    public static ReportModel Hostile()
    {
        var model = Create();
        return model with
        {
            Run = new ReportRun
            {
                Id = HostileText,
                Name = HostileText,
                Tags = [HostileText],
                Submitter = HostileText,
            },
            Dataset = model.Dataset with
            {
                Input = model.Dataset.Input with
                {
                    Name = HostileText,
                    Source = HostileText,
                    Notes = [HostileText, new string('n', 400)],
                    SkippedByReason = [new("damaged", HostileText, 3, new string('a', 400))],
                    Skipped = [new(HostileText, "damaged", HostileText), new(new string('w', 400), "damaged", new string('m', 400))],
                    Contradictions = [new([new(HostileText, HostileText), new(new string('w', 400), new string('m', 400))])],
                },
                Sha256 = HostileText,
                ClassNames = [.. Enumerable.Range(0, 10).Select(label => $"{HostileText} {label}")],
            },
            Warnings = [HostileText, new string('w', 400)],
            Features = new ReportFeatures
            {
                BackboneOrigin = HostileText,
                BackboneSha256 = HostileText,
                Key = HostileText,
                Precision = HostileText,
                InputSize = 96,
                Fit = HostileText,
                Preprocessing = HostileText,
            },
            Head = model.Head with { Kind = HostileText, Sha256 = HostileText },
            Gallery = [.. model.Gallery.Select(sample => sample with { Picture = Hostile(sample.Picture) })],
            Mistakes = [.. model.Mistakes.Select(sample => sample with { Picture = Hostile(sample.Picture) })],
            Audit = model.Audit with
            {
                Suspects = [.. model.Audit.Suspects.Select(sample => sample with { Picture = Hostile(sample.Picture) })],
                Duplicates =
                [
                    .. model.Audit.Duplicates.Select(pair => pair with { Test = Hostile(pair.Test), Training = Hostile(pair.Training) }),
                ],
            },
            Notes = [HostileText],
            Repeat = new ReportRepeat
            {
                SpecificationJson = HostileText,
                CommandLine = HostileText,
                Environment = [new(HostileText, HostileText)],
                Seeds = [new(HostileText, HostileText)],
            },
        };
    }

    /// <summary>A report whose matrix takes every strength of both colours.</summary>
    public static ReportModel Harsh()
    {
        var model = Create();
        int[][] matrix =
        [
            .. Enumerable
                .Range(0, 10)
                .Select(row =>
                    Enumerable
                        .Range(0, 10)
                        .Select(column =>
                            column == row ? 10 * row
                            : column == (row + 1) % 10 ? 100 - (10 * row)
                            : 0
                        )
                        .ToArray()
                ),
        ];
        return model with { Evaluation = model.Evaluation with { ConfusionMatrix = matrix } };
    }

    /// <summary>The bytes of a report.</summary>
    public static async Task<byte[]> RenderAsync(ReportModel model)
    {
        using var stream = new MemoryStream();
        await ReportWriter.WriteAsync(stream, model, TestContext.Current.CancellationToken);
        return stream.ToArray();
    }

    /// <summary>The text of a report.</summary>
    public static async Task<string> RenderTextAsync(ReportModel model) => Encoding.UTF8.GetString(await RenderAsync(model));

    private static ReportPicture Hostile(ReportPicture picture) => picture with { Name = HostileText };

    /// <summary>Few images are unsure, and the head is somewhat too sure of them.</summary>
    private static ReliabilityBin Bin(int index)
    {
        var (low, high) = ((double)index / Reliability.BinCount, (double)(index + 1) / Reliability.BinCount);
        var count = index < 3 ? 0 : 4 << (index / 2);
        return new ReliabilityBin(low, high, count, count == 0 ? null : (low + high) / 2, count == 0 ? null : ((low + high) / 2) - 0.03);
    }

    private static ReportPair Pair(int index, int classes) =>
        new(
            new ReportPicture(TinyPng.Draw(index), $"test/{index:00000}.png"),
            index % classes,
            new ReportPicture(TinyPng.Draw(index), $"train/{index:00000}.png"),
            (index + (index % 2)) % classes,
            0.97
        );

    private static string Hash(char digit) => new(digit, 64);

    private static int[][] Matrix(int classes, int images, bool perfect)
    {
        var matrix = new int[classes][];
        for (var row = 0; row < classes; row++)
        {
            matrix[row] = new int[classes];
            var wrong = perfect ? 0 : images * (8 + (row * 7 % 20)) / 100;
            matrix[row][row] = images - wrong;
            for (var step = 1; wrong > 0; step++)
            {
                var count = Math.Max(1, wrong / 2);
                var column = (row + (step * 2) - 1) % classes;
                column = column == row ? (row + 1) % classes : column;
                matrix[row][column] += count;
                wrong -= count;
            }
        }

        return matrix;
    }

    private static ReportClassMetric Metric(int[][] matrix, int label)
    {
        var named = matrix.Sum(row => row[label]);
        var support = matrix[label].Sum();
        var precision = matrix[label][label] / (double)named;
        var recall = matrix[label][label] / (double)support;
        return new ReportClassMetric(precision, recall, 2 * precision * recall / (precision + recall), support);
    }

    private static IngestionSummary Input(int tests, int classes) =>
        new()
        {
            Name = "Ten kinds",
            Source = "/data/ten-kinds",
            Files = 5023 + tests,
            Images = 5000 + tests,
            Classes = classes,
            Splits = new GivenSplits(5000, 0, tests, 0),
            Notes = ["'testing' is read as the test split."],
            SkippedCount = 23,
            SkippedByReason =
            [
                new("unsupportedFormat", "unsupported format", 20, "it is a HEIC image, which is not read; convert it to JPEG or PNG"),
                new("damaged", "damaged", 3, "copy them again from their source"),
            ],
            Skipped =
            [
                .. Enumerable
                    .Range(0, 23)
                    .Select(index => new SkippedInput(
                        $"train/bird/{index:0000}.heic",
                        "unsupportedFormat",
                        "it is a HEIC image, which is not read; convert it to JPEG or PNG"
                    )),
            ],
            Duplicates = new DuplicateCounts(6, 2, 4, 1),
            Contradictions = [new([new("train/cat/0003.jpg", "cat"), new("train/dog/0123.jpg", "dog")])],
            ContradictingClasses = [new("cat", "dog", 1, null)],
        };

    private static ReportEpoch Epoch(int epoch, int best, bool validated) =>
        new(
            epoch,
            0.22 + (1.7 * Math.Exp(-epoch / 5.0)),
            0.95 - (0.55 * Math.Exp(-epoch / 4.0)),
            validated
                ? 0.45
                    + (1.3 * Math.Exp(-epoch / 4.0))
                    + (0.0009 * Math.Pow(Math.Max(0, epoch - best), 2))
                    + (0.015 * Math.Sin(epoch * 2.3))
                : null,
            validated ? 0.86 - (0.42 * Math.Exp(-epoch / 3.5)) + (0.008 * Math.Sin(epoch * 1.7)) : null,
            1e-3
        );

    private static ReportSample Sample(int index, int classes, bool right)
    {
        var truth = index % classes;
        var predicted = right ? truth : (truth + 1 + (index / 3 % (classes - 1))) % classes;
        var sure = 0.99 - (index * 7 % 10 * 0.04);
        return new ReportSample(
            new ReportPicture(TinyPng.Draw(index), $"test/{index:00000}.png"),
            truth,
            predicted,
            sure,
            right ? sure : (1 - sure) / 2
        );
    }

    private static (double Low, double High) Wilson(double share, int count)
    {
        const double Z = 1.959963984540054;
        var centre = (share + (Z * Z / (2 * count))) / (1 + (Z * Z / count));
        var half = Z / (1 + (Z * Z / count)) * Math.Sqrt((share * (1 - share) / count) + (Z * Z / (4.0 * count * count)));
        return (centre - half, centre + half);
    }
}
