namespace Distributed.Registry.Tests;

public sealed class McNemarTests
{
    /// <summary>scipy 1.10.1: <c>scipy.stats.binomtest(first, first + second).pvalue</c>.</summary>
    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(0, 1, 1)]
    [InlineData(0, 6, 0.03125)]
    [InlineData(5, 5, 1)]
    [InlineData(3, 14, 0.012725830078125)]
    [InlineData(40, 62, 0.03706676743856045)]
    [InlineData(700, 800, 0.01055925546671162)]
    public void The_p_value_is_that_of_the_exact_test(int first, int second, double expected)
    {
        Assert.Equal(expected, new McNemarTest(first, second).PValue, 1e-6);
        Assert.Equal(expected, new McNemarTest(second, first).PValue, 1e-6);
    }

    [Fact]
    public void Thousands_of_images_make_no_number_too_small()
    {
        Assert.Equal(1, new McNemarTest(50_000, 50_000).PValue, 1e-9);
        Assert.InRange(new McNemarTest(10, 50_000).PValue, 0, 1e-100);
    }

    [Fact]
    public void Only_the_better_one_is_better()
    {
        Assert.True(new McNemarTest(3, 14).IsSecondBetter(0.95));
        Assert.False(new McNemarTest(14, 3).IsSecondBetter(0.95));
        Assert.False(new McNemarTest(3, 14).IsSecondBetter(0.99));
        Assert.False(new McNemarTest(0, 0).IsSecondBetter(0.5));
    }
}
