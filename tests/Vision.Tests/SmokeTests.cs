using TorchSharp;
namespace Distributed.Vision.Tests;
public sealed class SmokeTests
{
    [Fact]
    public void Loads() => Assert.Equal(3f, (torch.ones(1) + 2).item<float>());
}
