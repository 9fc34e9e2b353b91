using Distributed.Contracts;
using Distributed.Networks;
using Xunit;

namespace Distributed.Vision.Tests.Weights;

public sealed class BackboneListTests
{
    [Fact]
    public void Images_have_the_size_of_their_base_where_none_is_named()
    {
        Assert.All(PretrainedBases.All, known => Assert.Equal(known.InputSize, new RunSpecification { Backbone = known.Name }.InputSize));
        Assert.Equal(
            128,
            new RunSpecification { InputSize = 128 }
                .WithUsualInputSize(256)
                .InputSize
        );
        Assert.Equal(
            256,
            new RunSpecification { Backbone = "added" }
                .WithUsualInputSize(256)
                .InputSize
        );
    }

    [Fact]
    public void Every_base_says_what_it_is_and_where_it_comes_from()
    {
        Assert.Distinct(PretrainedBases.All.Select(known => known.Name));
        Assert.All(
            PretrainedBases.All,
            known =>
            {
                Assert.True(BackboneList.IsName(known.Name));
                Assert.NotEmpty(known.Description);
                Assert.NotEmpty(known.TrainedOn);
                Assert.NotEmpty(known.Licence);
                Assert.True((known.ShippedFile is null) != (known.Url is null));
                // Of an ONNX file nothing but the list says how it expects images.
                Assert.True((known.Architecture is null) == (known.Preprocessing is not null));
                Assert.True(known.ShippedFile is null || known.Sha256 is { Length: 64 });
            }
        );
    }

    [Fact]
    public void An_operators_bases_and_mirrors_are_joined_to_the_list()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["backbones.json"],
            """
            {
              // As operators write.
              "mirrors": { "resnet50": "https://mirror.example/r50.pth", "imagenet": "/mirror/imagenet.safetensors" },
              "bases": [
                { "name": "factory", "url": "https://models.example/vit.onnx", "inputSize": 256, "output": "class", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "bgr": true },
                { "name": "factory-resnet", "url": "/models/factory.pth", "architecture": "resnet50" },
              ]
            }
            """
        );

        var list = BackboneList.Load(folder["backbones.json"]);

        Assert.Equal("https://mirror.example/r50.pth", list.Find("resnet50")!.Url!.AbsoluteUri);
        Assert.Equal("0676ba61", list.Find("resnet50")!.Sha256Prefix);
        Assert.True(list.Find("imagenet")!.Url!.IsFile);
        Assert.Equal(
            (256, "class", true),
            (list.Find("factory")!.InputSize, list.Find("factory")!.Output, list.Find("factory")!.Preprocessing!.IsBgr)
        );
        Assert.Equal(2048, list.Find("factory-resnet")!.FeatureSize);
        Assert.Equal("backbones/factory-resnet.pth", list.Find("factory-resnet")!.VolumePath);
        Assert.Equal(PretrainedBases.All.Count + 2, list.All.Count);
    }

    [Theory]
    [InlineData("""{ "bases": [{ "name": "A b", "url": "https://a/b.onnx" }] }""", "bases[0].name is 'A b'")]
    [InlineData("""{ "bases": [{ "name": "a", "url": "https://a/b.pth" }] }""", "bases[0].architecture is ''")]
    [InlineData("""{ "bases": [{ "name": "a", "url": "https://a/b.pth", "architecture": "vgg" }] }""", "bases[0].architecture is 'vgg'")]
    [InlineData("""{ "bases": [{ "name": "a", "url": "https://a/b.onnx", "sha256": "12" }] }""", "bases[0].sha256 is '12'")]
    [InlineData("""{ "bases": [{ "name": "a", "url": "https://a/b.onnx", "inputSize": 7 }] }""", "bases[0].inputSize is '7'")]
    [InlineData("""{ "bases": [{ "name": "a", "url": "https://a/b.onnx", "std": [0, 1, 1] }] }""", "bases[0].mean and .std")]
    [InlineData("""{ "bases": [{ "name": "demo", "url": "https://a/b.onnx" }] }""", "the name demo is taken twice")]
    [InlineData("""{ "bases": [{ "name": "a" }] }""", "url")]
    [InlineData("""{ "mirrors": { "nothing": "https://a/b" } }""", "mirrors.nothing")]
    [InlineData("""{ "mirrors": { "demo": "https://a/b" } }""", "mirrors.demo")]
    [InlineData("""{ "basis": [] }""", "basis")]
    [InlineData("""{ "bases": """, "line 1")]
    public void A_wrong_file_is_refused_with_the_field(string json, string said)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["backbones.json"], json);

        var error = BackboneList.FindError(folder["backbones.json"]);

        Assert.Contains(said, error, StringComparison.Ordinal);
        Assert.Contains(folder["backbones.json"], error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains("/nowhere/backbones.json", BackboneList.FindError("/nowhere/backbones.json"), StringComparison.Ordinal);

    [Theory]
    [InlineData("demo", true)]
    [InlineData("random", true)]
    [InlineData("./restnet50", true)]
    [InlineData("weights.pth", true)]
    [InlineData("/data/weights", true)]
    [InlineData("restnet50", false)]
    public void A_name_that_is_none_is_told_from_a_path(string backbone, bool isFine) =>
        Assert.Equal(isFine, BackboneList.Load(null).Complaint(backbone) is null);
}
