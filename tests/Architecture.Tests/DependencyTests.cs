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
    [InlineData("Jobs", "Contracts")]
    [InlineData("Catalog", "Contracts", "Jobs", "Storage")]
    [InlineData("Pipeline", "Catalog", "Contracts", "Jobs", "Storage")]
    [InlineData("Messaging", "Catalog", "Contracts", "Jobs", "Pipeline")]
    public void Jobs_know_no_pipeline_and_the_pipeline_no_messaging(string name, params string[] references)
    {
        var library = Solution.Shared.Single(project => project.Name == name);

        Assert.Equal(references, library.References.Select(reference => Solution.Find(reference).Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_dashboard_knows_nothing_but_the_public_api()
    {
        var dashboard = Solution.Shared.Single(project => project.Name == "Dashboard");

        Assert.Equal(
            ["Client", "Contracts"],
            dashboard.References.Select(reference => Solution.Find(reference).Name).Order(StringComparer.Ordinal)
        );
        Assert.Equal(["MudBlazor"], dashboard.Packages);
    }

    [Fact]
    public void Jobs_know_no_bus_and_no_database_server() =>
        Assert.DoesNotContain(
            Solution.Shared.Single(project => project.Name == "Jobs").Closure(),
            library =>
                new[] { "masstransit", "rabbitmq", "npgsql", "sqlite", "torch" }.Any(one =>
                    library.Contains(one, StringComparison.OrdinalIgnoreCase)
                )
        );

    [Theory]
    [InlineData("AdminApi", false)]
    [InlineData("Ingestion", false)]
    [InlineData("Catalog", false)]
    [InlineData("Contracts", false)]
    [InlineData("Datasets", false)]
    [InlineData("Jobs", false)]
    [InlineData("Messaging", false)]
    [InlineData("Networks", false)]
    [InlineData("Pipeline", false)]
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
