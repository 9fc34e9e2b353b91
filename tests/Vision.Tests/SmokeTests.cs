using TorchSharp;
namespace Distributed.Vision.Tests;
public sealed class SmokeTests(ITestOutputHelper output)
{
    [Fact]
    public void Speed()
    {
        using var b = BackboneSource.Load("demo");
        output.WriteLine(b.Origin);
        foreach (var n in new[] {8, 32, 64})
            output.WriteLine($"{n}: {PrecisionTrial.Choose(b, 96, torch.CPU, n)} {TorchEnvironment.Describe(torch.CPU)}");
        output.WriteLine($"224: {PrecisionTrial.Choose(b, 224, torch.CPU, 8)}");
        var images = new byte[32 * 96 * 96 * 3];
        new Random(1).NextBytes(images);
        using var e1 = new FeatureExtractor(b, Precision.Fp32, torch.CPU);
        using var e2 = new FeatureExtractor(b, Precision.Bf16, torch.CPU);
        var x = e1.Extract(images, 32, 96).Values; var y = e2.Extract(images, 32, 96).Values;
        var d = Math.Sqrt(x.Zip(y).Sum(p => Math.Pow(p.First - p.Second, 2)) / x.Sum(v => v * v));
        output.WriteLine($"rel {d}");
    }
}
