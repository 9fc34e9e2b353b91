using Distributed.Vision.Engines;

namespace Distributed.Vision.Tests.Engines;

/// <summary>What is made of measurements.</summary>
public sealed class AutotunerTests
{
    [Fact]
    public void A_batch_size_that_is_clearly_faster_is_taken() =>
        Assert.Equal(
            128,
            Autotuner.ChooseUsual([Samples(64, 100, 99, 98), Samples(32, 90, 91, 92), Samples(128, 110, 109, 108)]).BatchSize
        );

    [Fact]
    public void A_batch_size_that_is_hardly_faster_is_not() =>
        Assert.Equal(64, Autotuner.ChooseUsual([Samples(64, 100, 99, 98), Samples(32, 90, 91, 92), Samples(128, 104, 103, 102)]).BatchSize);

    [Fact]
    public void On_a_noisy_machine_the_usual_batch_size_stays() =>
        Assert.Equal(64, Autotuner.ChooseUsual([Samples(64, 100, 60, 50), Samples(32, 90, 91, 92), Samples(128, 110, 109, 108)]).BatchSize);

    [Fact]
    public void A_batch_size_that_does_not_fit_into_memory_is_not_taken() =>
        Assert.Equal(32, Autotuner.ChooseUsual([Samples(64, 0, 0, 0), Samples(32, 90, 91, 92), Samples(128, 0, 0, 0)]).BatchSize);

    [Fact]
    public void A_half_precision_has_to_be_clearly_faster()
    {
        Assert.Equal(0, Autotuner.ChoosePrecision([Samples(16, 90, 100), Samples(16, 109, 95)]));
        Assert.Equal(1, Autotuner.ChoosePrecision([Samples(16, 90, 100), Samples(16, 111, 95)]));
        Assert.Equal(2, Autotuner.ChoosePrecision([Samples(16, 100), Samples(16, 200), Samples(16, 210)]));
        // Nor is it measured again.
        Assert.True(Autotuner.IsClear([Samples(16, 100), Samples(16, 201)]));
        Assert.False(Autotuner.IsClear([Samples(16, 100), Samples(16, 199)]));
    }

    private static BatchSamples Samples(int batchSize, params double[] imagesPerSecond)
    {
        var samples = new BatchSamples(batchSize, threads: 2);
        Array.ForEach(imagesPerSecond, samples.Add);
        return samples;
    }
}
