using System.Reflection;
using System.Text.Json;
using System.Xml.Linq;
using Distributed.TestServers;

namespace Distributed.Architecture.Tests;

/// <summary>A project as its file says.</summary>
/// <param name="Name">Name of its folder, such as <c>Catalog</c>.</param>
/// <param name="Area">Folder above it: services, shared or tests.</param>
/// <param name="Path">Its file.</param>
public sealed record Project(string Name, string Area, string Path)
{
    private readonly XDocument _file = XDocument.Load(Path);

    public IReadOnlyList<string> References =>
        [
            .. _file
                .Descendants("ProjectReference")
                .Select(reference =>
                    System.IO.Path.GetFullPath((string)reference.Attribute("Include")!, System.IO.Path.GetDirectoryName(Path)!)
                ),
        ];

    public IReadOnlyList<string> Packages =>
        [.. _file.Descendants("PackageReference").Select(reference => (string)reference.Attribute("Include")!)];

    /// <summary>Packages and projects that it reaches, through others too, as they were restored.</summary>
    public IReadOnlyList<string> Closure()
    {
        using var assets = JsonDocument.Parse(
            File.ReadAllBytes(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Path)!, "obj", "project.assets.json"))
        );
        return [.. assets.RootElement.GetProperty("libraries").EnumerateObject().Select(library => library.Name.Split('/')[0])];
    }

    public override string ToString() => $"{Area}/{Name}";
}

internal static class Solution
{
    public static IReadOnlyList<Project> Projects { get; } =
    [
        .. ((string[])["services", "shared", "tests"]).SelectMany(area =>
            Directory
                .EnumerateFiles(Path.Combine(TestEnvironment.RepositoryRoot, area), "*.csproj", SearchOption.AllDirectories)
                .Select(path => new Project(Path.GetFileNameWithoutExtension(path), area, path))
        ),
    ];

    public static IEnumerable<Project> Services => Projects.Where(project => project.Area == "services");

    public static IEnumerable<Project> Shared => Projects.Where(project => project.Area == "shared");

    /// <summary>The C# files of services and shared libraries.</summary>
    public static IEnumerable<string> ProductSources => Services.Concat(Shared).SelectMany(Sources);

    public static Assembly Assembly(Project project) => System.Reflection.Assembly.Load($"Distributed.{project.Name}");

    /// <summary>The C# files of a project, without those that builds make.</summary>
    public static IEnumerable<string> Sources(Project project) =>
        Directory
            .EnumerateFiles(Path.GetDirectoryName(project.Path)!, "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal));

    public static Project Find(string path) => Projects.Single(project => project.Path == path);
}
