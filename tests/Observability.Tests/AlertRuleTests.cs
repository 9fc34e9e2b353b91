using Distributed.TestServers;

namespace Distributed.Observability.Tests;

public sealed class AlertRuleTests
{
    [Theory]
    [InlineData("check", "config", "prometheus.yml")]
    [InlineData("check", "rules", "alerts.yml")]
    [InlineData("test", "rules", "../../../tests/Observability.Tests/alerts.test.yml")]
    public async Task Prometheus_takes_them_and_they_fire_for_what_they_are_about(string verb, string what, string file)
    {
        Assert.SkipWhen(TestEnvironment.PromtoolPath is null, "promtool, of Prometheus, is not installed.");
        await using var promtool = HostProcess.Start(TestEnvironment.PromtoolPath, [verb, what, Path.Combine(AlertRules.Folder, file)]);

        Assert.True(await promtool.WaitForExitAsync() == 0, string.Join('\n', promtool.Lines));
    }

    [Fact]
    public async Task Each_is_tested_and_has_a_section_that_says_what_to_do()
    {
        var manual = await File.ReadAllLinesAsync(Path.Combine(TestEnvironment.RepositoryRoot, "docs", "operations.md"));
        var tests = await File.ReadAllTextAsync(
            Path.Combine(TestEnvironment.RepositoryRoot, "tests", "Observability.Tests", "alerts.test.yml")
        );

        Assert.NotEmpty(AlertRules.Names);
        Assert.Equal(AlertRules.Names.Select(name => $"docs/operations.md#{name.ToLowerInvariant()}"), AlertRules.Runbooks);
        Assert.All(
            AlertRules.Names,
            name =>
            {
                Assert.Single(manual, $"#### {name}");
                Assert.Contains($"alertname: {name}\n", tests, StringComparison.Ordinal);
            }
        );
    }
}
