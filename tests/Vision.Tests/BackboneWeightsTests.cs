namespace Distributed.Vision.Tests;

public sealed class BackboneWeightsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Names_of_torchvision_and_timm_old_and_new_are_understood()
    {
        var plain = ReadDemo();
        var bare = plain.Where(pair => !pair.Key.StartsWith("classifier", StringComparison.Ordinal)).ToDictionary(pair => pair.Key["features.".Length..], pair => pair.Value);
        var old = plain.ToDictionary(
            pair => pair.Key.Contains("denselayer", StringComparison.Ordinal)
                ? pair.Key.Replace(".norm1.", ".norm.1.").Replace(".norm2.", ".norm.2.").Replace(".conv1.", ".conv.1.").Replace(".conv2.", ".conv.2.")
                : pair.Key,
            pair => pair.Value);
        old["features.norm0.num_batches_tracked"] = TensorData.FromValues([5L]);
        using var demo = BackboneSource.Load(BackboneSource.Demo);
        var expected = Features(demo);

        foreach (var tensors in new[] { bare, old })
        {
            using var backbone = BackboneSource.Load(Write(tensors));
            Assert.Equal(expected, Features(backbone));
        }
    }

    [Fact]
    public void Everything_that_does_not_fit_is_in_one_error()
    {
        var tensors = ReadDemo();
        tensors.Remove("features.conv0.weight");
        tensors["features.extra"] = TensorData.FromValues([1f], 1);
        tensors["features.norm0.bias"] = TensorData.FromValues([1f, 2f], 2);
        tensors["features.norm0.weight"] = TensorData.FromValues(new long[64], 64);

        var message = Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(tensors))).Message;

        Assert.Contains("missing (1): conv0.weight", message, StringComparison.Ordinal);
        Assert.Contains("not part of it (1): extra", message, StringComparison.Ordinal);
        Assert.Contains("of another shape (1): norm0.bias [2] instead of [64]", message, StringComparison.Ordinal);
        Assert.Contains("no floating-point numbers (1): norm0.weight (Int64)", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_for_another_architecture_is_refused_in_an_error_of_bounded_length()
    {
        var message = Assert.Throws<WeightsException>(() => BackboneSource.Load(BackboneSource.Demo, DenseNetArchitecture.DenseNet201)).Message;

        Assert.Contains("densenet201", message, StringComparison.Ordinal);
        Assert.Contains(" more", message, StringComparison.Ordinal);
        Assert.InRange(message.Length, 1, 8000);
    }

    [Fact]
    public void A_file_without_a_DenseNet_is_refused()
    {
        var message = Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(new() { ["layer1.weight"] = TensorData.FromValues([1f], 1) }))).Message;
        Assert.Contains("features.norm5.weight", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_names_for_one_tensor_are_refused()
    {
        var tensors = ReadDemo();
        tensors["norm0.bias"] = tensors["features.norm0.bias"];
        Assert.Contains("Two tensors", Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(tensors))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_normalisation_in_the_metadata_is_used_and_checked()
    {
        var tensors = ReadDemo();
        using var backbone = BackboneSource.Load(Write(tensors, new() { ["mean"] = "0.5,0.5,0.5", ["std"] = "0.25,0.25,0.25" }));
        Assert.Equal("mean=0.5,0.5,0.5;std=0.25,0.25,0.25", backbone.Preprocessing.Description);

        var message = Assert.Throws<WeightsException>(() => BackboneSource.Load(Write(tensors, new() { ["mean"] = "0.5", ["std"] = "0,0,0" }))).Message;
        Assert.Contains("0,0,0", message, StringComparison.Ordinal);
    }

    private static Dictionary<string, TensorData> ReadDemo()
    {
        using var file = SafetensorsFile.Open(BackboneSource.DemoPath);
        return file.Tensors.Keys.ToDictionary(name => name, file.ReadData);
    }

    private static float[] Features(IBackbone backbone)
    {
        using var extractor = new FeatureExtractor(backbone, Precision.Fp32, TorchSharp.torch.CPU);
        return extractor.Extract(GoldenData.Images(1, 32), 1, 32).Values;
    }

    private string Write(Dictionary<string, TensorData> tensors, Dictionary<string, string>? metadata = null)
    {
        var path = _folder[Guid.NewGuid().ToString("N") + ".safetensors"];
        File.WriteAllBytes(path, SafetensorsWriter.ToBytes(tensors, metadata));
        return path;
    }
}
