using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Distributed.Datasets.Imaging;
using Distributed.Imaging;

namespace Distributed.Datasets.Tests;

/// <summary>File indexes and manifests made up for a test, without files.</summary>
internal static class FileIndexes
{
    public static FileIndex Create(IReadOnlyList<ListedImage> entries, int classes = 2, IReadOnlyList<int[]>? folds = null) =>
        new(
            SourceFormat.ImageFolder,
            "/data/set",
            "set",
            [.. Enumerable.Range(0, classes).Select(label => $"class{label}")],
            entries,
            folds,
            Fingerprint: ""
        );

    public static string Hash(int content) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{content}")));

    public static PackedImage Packed(int entry, int content, string? skipped = null, SkipReason? reason = null) =>
        new(entry, Hash(content), 10, 10, skipped, reason);

    /// <summary>A manifest of images given as label, split and content; equal content is equal bytes.</summary>
    public static DatasetManifest Manifest(
        IReadOnlyList<(int Label, SplitName Split, int Content)> images,
        int classes = 2,
        IReadOnlyList<int[]>? folds = null
    ) =>
        DatasetManifest.Create(
            Create([.. images.Select((image, index) => new ListedImage($"{index}", image.Label, image.Split))], classes, folds),
            images.Select((image, index) => Packed(index, image.Content))
        );

    /// <summary>Images of three classes with some equal ones, of the splits given; the first of each class are there once each.</summary>
    public static Gen<List<(int Label, SplitName Split, int Content)>> Images(params SplitName[] splits) =>
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, splits.Length - 1], Gen.Int[0, 60])
            .Array[20, 120]
            .Select(drawn =>
            {
                var images = drawn.Select(image => (image.Item1, splits[image.Item2], image.Item3)).ToList();
                foreach (var (position, split) in splits.Index())
                {
                    images.AddRange(
                        Enumerable
                            .Range(0, 3)
                            .SelectMany(label =>
                                Enumerable.Range(0, 3).Select(copy => (label, split, 1000 + (position * 100) + (label * 10) + copy))
                            )
                    );
                }

                return images;
            });
}
