using Distributed.TestServers;

namespace Distributed.Architecture.Tests;

public sealed class DependencyTests
{
    [Fact]
    public void Services_know_nothing_of_each_other_but_for_the_one_process_host()
    {
        Assert.Equal(
            ["AdminApi", "Evaluation", "Ingestion", "Standalone", "Training"],
            Solution.Services.Select(project => project.Name).Order()
        );

        Assert.All(
            Solution.Services.Where(project => project.Name != "Standalone"),
            service => Assert.All(service.References, reference => Assert.Equal("shared", Solution.Find(reference).Area))
        );
    }

    [Fact]
    public void Shared_libraries_depend_on_shared_libraries_only() =>
        Assert.All(
            Solution.Shared,
            library => Assert.All(library.References, reference => Assert.Equal("shared", Solution.Find(reference).Area))
        );

    [Fact]
    public void Contracts_need_nothing_but_the_base_library()
    {
        var contracts = Solution.Shared.Single(project => project.Name == "Contracts");

        Assert.Empty(contracts.References);
        Assert.Empty(contracts.Packages);
        Assert.All(
            Solution.Assembly(contracts).GetReferencedAssemblies(),
            reference => Assert.StartsWith("System", reference.Name, StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("AdminApi", false)]
    [InlineData("Ingestion", false)]
    [InlineData("Catalog", false)]
    [InlineData("Contracts", false)]
    [InlineData("Datasets", false)]
    [InlineData("Messaging", false)]
    [InlineData("Networks", false)]
    [InlineData("ServiceDefaults", false)]
    [InlineData("Storage", false)]
    [InlineData("Training", true)]
    [InlineData("Evaluation", true)]
    public void Only_what_computes_with_tensors_carries_the_tensor_library(string name, bool carries)
    {
        var closure = Solution.Projects.Single(project => project.Name == name && project.Area != "tests").Closure();

        Assert.Equal(carries, closure.Any(library => library.Contains("torch", StringComparison.OrdinalIgnoreCase)));
    }

    [Fact]
    public void Every_project_is_part_of_the_solution()
    {
        var solution = File.ReadAllText(Path.Combine(TestEnvironment.RepositoryRoot, "Distributed.sln")).Replace('\\', '/');

        Assert.All(
            Solution.Projects,
            project =>
                Assert.Contains(Path.GetRelativePath(TestEnvironment.RepositoryRoot, project.Path), solution, StringComparison.Ordinal)
        );
    }
}
