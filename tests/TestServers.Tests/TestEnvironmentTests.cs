namespace Distributed.TestServers.Tests;

public sealed class TestEnvironmentTests
{
    [Fact]
    public void The_repository_is_found() => Assert.True(File.Exists(Path.Combine(TestEnvironment.RepositoryRoot, "test.sh")));

    [Fact]
    public void A_service_that_is_not_built_is_named()
    {
        var e = Assert.Throws<FileNotFoundException>(() => TestEnvironment.ServiceDll("Nothing"));

        Assert.Contains(Path.Combine("services", "Nothing", "bin"), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Free_ports_differ()
    {
        var ports = Enumerable.Range(0, 200).Select(_ => FreePort.Next()).ToArray();

        Assert.Equal(ports.Length, ports.Distinct().Count());
    }
}
