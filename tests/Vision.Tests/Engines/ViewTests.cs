using Distributed.Contracts;
using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Export;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Weights;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using TorchSharp;

namespace Distributed.Vision.Tests.Engines;

public sealed class ViewTests
{
    private const int Count = 3;
    private const int Size = 56;

    private static readonly SafetensorsFile Golden = SafetensorsFile.Open(GoldenData.PathOf("features.safetensors"));

    [Theory]
    [InlineData(false, ImageCrops.Whole, 1, 56)]
    [InlineData(true, ImageCrops.Whole, 2, 56)]
    [InlineData(false, ImageCrops.Five, 5, 64)]
    [InlineData(true, ImageCrops.Five, 10, 64)]
    public void Features_of_views_are_the_means_of_those_of_each(bool flip, ImageCrops crops, int count, int side)
    {
        var views = new FeatureViews(flip, crops);
        Assert.Equal((count, side), (views.Count, views.SquareOf(Size)));
        var images = GoldenData.Images(Count, side);
        using var backbone = ViewedBackbone.Of(BackboneSource.Load(BackboneSource.Demo), views, Size);

        var found = Extract(backbone, images, side);

        var expected = new double[found.Length];
        using var single = BackboneSource.Load(BackboneSource.Demo);
        foreach (var (top, left) in views.CropsOf(Size))
        {
            foreach (var mirrored in flip ? new[] { false, true } : [false])
            {
                var features = Extract(single, Cut(images, side, top, left, mirrored), Size);
                for (var i = 0; i < expected.Length; i++)
                {
                    expected[i] += features[i] / (double)count;
                }
            }
        }

        Assert.InRange(GoldenData.LargestError(Array.ConvertAll(expected, value => (float)value), found, Count), 0, 1e-6);
    }

    [Theory]
    [InlineData("densenet121", 32)]
    [InlineData("densenet161", 32)]
    [InlineData("resnet18", 64)]
    [InlineData("resnet50", 64)]
    public void Means_of_the_last_blocks_are_torchvisions(string name, int size)
    {
        using var folder = new TemporaryFolder();
        GoldenData.WriteFilled(folder["weights.safetensors"], NetworkArchitecture.ByName(name));
        var expected = Golden.ReadData($"{name}.{size}.4-blocks").ToSingles();
        for (var blocks = 2; blocks <= 4; blocks++)
        {
            using var joined = JoinedBackbone.Create([BackboneSource.Load(folder["weights.safetensors"])], blocks, new string('0', 64));

            var found = Extract(joined, GoldenData.Images(1, size), size);

            Assert.Equal(found.Length, joined.FeatureSize);
            Assert.InRange(GoldenData.LargestError(expected[^found.Length..], found, 1), 0, 1e-5);
        }
    }

    [Fact]
    public void Features_of_joined_bases_stand_one_behind_the_other()
    {
        var images = GoldenData.Images(Count, Size);
        using var joined = JoinedBackbone.Create(
            [BackboneSource.Load(BackboneSource.Demo), BackboneSource.Load("random:3", ResNet.ResNet18)],
            1,
            new string('0', 64)
        );

        var found = Extract(joined, images, Size);

        using var first = BackboneSource.Load(BackboneSource.Demo);
        using var second = BackboneSource.Load("random:3", ResNet.ResNet18);
        var (left, right) = (Extract(first, images, Size), Extract(second, images, Size));
        Assert.Equal(first.FeatureSize + second.FeatureSize, joined.FeatureSize);
        for (var image = 0; image < Count; image++)
        {
            Assert.Equal(
                [.. Row(left, image, first.FeatureSize), .. Row(right, image, second.FeatureSize)],
                Row(found, image, joined.FeatureSize)
            );
        }

        Assert.Equal("densenet121+resnet18", joined.Name);
        Assert.Contains("+", joined.Normalisation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, ImageCrops.Five, 1)]
    [InlineData(true, ImageCrops.Whole, 2)]
    [InlineData(false, ImageCrops.Whole, 3)]
    public async Task An_exported_classifier_has_views_blocks_and_joined_bases_in_it(bool flip, ImageCrops crops, int blocks)
    {
        var views = new FeatureViews(flip, crops);
        var side = views.SquareOf(Size);
        using var backbone = ViewedBackbone.Of(
            JoinedBackbone.Create(
                [BackboneSource.Load(BackboneSource.Demo), BackboneSource.Load("random:3", ResNet.ResNet18)],
                blocks,
                new string('0', 64)
            ),
            views,
            Size
        );
        var head = TrainHead(backbone.FeatureSize);
        using var model = new MemoryStream();
        await OnnxExport.WriteClassifierAsync(backbone, head, ["one", "two"], side, [], model, TestContext.Current.CancellationToken);
        var images = GoldenData.Images(Count, side);

        using var session = new InferenceSession(model.ToArray());
        var input = new DenseTensor<byte>(images, [Count, side, side, 3]);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor(OnnxExport.InputName, input)], [OnnxExport.OutputName]);

        float[] found = [.. results[0].AsTensor<float>()];
        Assert.InRange(GoldenData.LargestError(Extract(backbone, images, side), found, Count), 0, 1e-5);
    }

    [Fact]
    public void A_base_without_so_many_blocks_says_what_to_give()
    {
        var exception = Assert.Throws<WeightsException>(() =>
            JoinedBackbone.Create([BackboneSource.Load(BackboneSource.Demo)], 5, new string('0', 64))
        );
        Assert.Contains("has not 5 blocks", exception.Message, StringComparison.Ordinal);
    }

    private static TrainedHead TrainHead(int size)
    {
        var values = Array.ConvertAll(GoldenData.Draw(7, 20 * size), value => (float)value);
        int[] rows = [.. Enumerable.Range(0, 20)];
        using var data = FeatureData.Create(
            new FeatureMatrix(values, 20, size),
            Array.ConvertAll(rows, row => row % 2),
            rows[..15],
            rows[15..],
            torch.CPU
        );
        var trained = HeadTraining
            .Start(HeadDefinition.Linear, new RegularisationPathOptions([1]), data, 2)
            .Train(data, () => false, CancellationToken.None);
        return TrainedHead.Load(trained.State.ExportBest());
    }

    private static float[] Extract(IBackbone backbone, byte[] images, int size)
    {
        using var extractor = new FeatureExtractor(backbone, Precision.Fp32, torch.CPU);
        return extractor.Extract(images, images.Length / (size * size * 3), size).Values;
    }

    private static float[] Row(float[] features, int image, int size) => features[(image * size)..((image + 1) * size)];

    private static byte[] Cut(byte[] images, int side, int top, int left, bool mirrored)
    {
        var cut = new byte[Count * Size * Size * 3];
        for (var i = 0; i < cut.Length; i++)
        {
            var (image, y, x, channel) = (i / (Size * Size * 3), i / (Size * 3) % Size, i / 3 % Size, i % 3);
            var column = left + (mirrored ? Size - 1 - x : x);
            cut[i] = images[(((((image * side) + top + y) * side) + column) * 3) + channel];
        }

        return cut;
    }
}
