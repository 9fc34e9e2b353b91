using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Splits;
using Distributed.Imaging;
using Distributed.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

/// <summary>
/// A small data set as ingestion leaves it: eight images of 32 pixels, cats and dogs, of which the last is the first one once more in the other class and
/// in another split; one file was skipped.
/// </summary>
internal sealed class PackedPets
{
    public const int Side = 32;

    private readonly AdminServer _server;
    private readonly DatasetArtifacts _artifacts;

    private PackedPets(AdminServer server)
    {
        _server = server;
        _artifacts = server.Services.GetRequiredService<DatasetArtifacts>();
    }

    public DatasetManifest Manifest { get; private set; } = null!;

    /// <summary>The hash of an image by its number; the last image is the first.</summary>
    public static string Hash(int image) => new((char)('a' + (image % 7)), 64);

    public static async Task<PackedPets> AddAsync(AdminServer server, string ingestion = "ingestion-1")
    {
        var pets = new PackedPets(server);
        await pets.PackAsync(ingestion);
        return pets;
    }

    /// <summary>A run on it that has predicted its three test images.</summary>
    public async Task<Run> EvaluateAsync(params (int Image, int Predicted, float Probability, float Own)[] predictions)
    {
        var run = CatalogRows.Run();
        var split = new DatasetSplit([0, 1, 2], [3], [4, 5, 6], [7]);
        (run.IngestionKey, run.DatasetSha256) = ("ingestion-1", Manifest.Sha256);
        run.Split = await _artifacts.WriteJsonAsync($"runs/{run.Id:D}/split.json", split, CancellationToken.None);
        var file = await _artifacts.WriteJsonAsync(
            $"runs/{run.Id:D}/predictions.json",
            predictions
                .Select(one => new TestPrediction(one.Image, Manifest.Images[one.Image].Label, one.Predicted, one.Probability, one.Own))
                .ToList(),
            CancellationToken.None
        );
        var audit = await _artifacts.WriteJsonAsync(
            $"audits/{run.Id:D}/audit.json",
            new DatasetAudit
            {
                Labels = [new JudgedLabel(2, 0, 0.1f, 1, 0.9f), new JudgedLabel(0, 0, 0.95f, 0, 0.95f)],
                NearDuplicates = [new NearDuplicate(5, 1, 0.9f, 0.97f)],
            },
            CancellationToken.None
        );
        await _server.AddAsync(
            run,
            CatalogRows.Evaluation(run, 0.67, file, $"{run.Id:D}"),
            new DatasetAuditRecord
            {
                Key = $"{run.Id:D}",
                FeatureSetKey = "features",
                File = audit,
                JudgedLabels = 2,
                DoubtedLabels = 1,
                NearDuplicates = 1,
                CreatedAt = CatalogRows.Noon,
            }
        );
        return run;
    }

    private async Task PackAsync(string key)
    {
        var index = new FileIndex(
            SourceFormat.ImageFolder,
            "/data/pets",
            "pets",
            ["cat", "dog"],
            [
                .. Enumerable
                    .Range(0, 8)
                    .Select(i => new ListedImage(
                        $"{(i == 7 ? "dog" : i % 2 == 0 ? "cat" : "dog")}/{i}.png",
                        i == 7 ? 1 : i % 2,
                        i < 5 ? SplitName.Train : SplitName.Test
                    )),
                new ListedImage("dog/broken.png", 1, SplitName.Test),
            ],
            Folds: null,
            "fingerprint"
        )
        {
            Skipped = [new SkippedFile("cat/notes.txt", SkipReason.NotAnImage, "text")],
        };
        IReadOnlyList<PackedImage> packed =
        [
            .. Enumerable.Range(0, 8).Select(i => new PackedImage(i, Hash(i), 100, 100, Skipped: null)),
            new PackedImage(8, "", 0, 0, "it ends too soon", SkipReason.Damaged),
        ];
        Manifest = DatasetManifest.Create(index, packed);
        var volume = _server.Services.GetRequiredService<Volume>();
        var pixels = await volume.WriteAsync(
            $"ingestions/{key}/part-0.u8",
            async (stream, token) =>
            {
                for (var image = 0; image < 8; image++)
                {
                    await stream.WriteAsync(Pixels(image), token);
                }
            }
        );
        await _server.AddAsync(
            new Dataset
            {
                Sha256 = Manifest.Sha256,
                Name = "pets",
                Source = "/data/pets",
                ImageCount = 8,
                ClassNames = Manifest.ClassNames,
                Manifest = await _artifacts.WriteJsonAsync($"datasets/{key}/manifest.json", Manifest, CancellationToken.None),
                CreatedAt = CatalogRows.Noon,
            },
            new Ingestion
            {
                Key = key,
                Source = "/data/pets",
                SquareSize = Side,
                CropShare = 1,
                Resampling = ResampleFilter.Bicubic,
                Fit = FitMode.Crop,
                Decoding = JpegDecoding.Scaled,
                FileIndex = await _artifacts.WriteJsonAsync($"ingestions/{key}/index.json", index, CancellationToken.None),
                EntryCount = 9,
                PartSize = 9,
                PartCount = 1,
                DatasetSha256 = Manifest.Sha256,
                SkippedCount = 2,
                CreatedAt = CatalogRows.Noon,
                CompletedAt = CatalogRows.Noon,
            },
            new PackedPartRecord
            {
                IngestionKey = key,
                Part = 0,
                ImageCount = 8,
                Pixels = pixels,
                Records = await _artifacts.WriteJsonAsync($"ingestions/{key}/records.json", packed, CancellationToken.None),
            }
        );
    }

    /// <summary>Pixels of one colour, by which an image is known.</summary>
    public static byte[] Pixels(int image) => [.. Enumerable.Repeat((byte)(20 + (30 * (image % 7))), Side * Side * 3)];
}
