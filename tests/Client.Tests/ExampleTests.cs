using System.Globalization;
using Distributed.TestServers;

namespace Distributed.Client.Tests;

public sealed class ExampleTests(Served served)
{
    [Fact]
    public async Task The_example_is_built_from_the_package_trains_promotes_and_predicts()
    {
        var program = await ExampleProgram.BuildAsync("Client", "train", served.Server.Folder);
        var image = served.Server.Write("asked.png", ColouredFields.Draw(3));
        var server = served.Server.Api.BaseAddress!.ToString();

        var trained = await FinishedProgram.RunAsync("dotnet", [program, server, "example", "sample", image]);
        var refused = await FinishedProgram.RunAsync("dotnet", [program, server, "example", "/there/is/no/such/folder", image], status: 1);

        Assert.Equal("accuracy", trained.Rows[0][0]);
        Assert.InRange(trained.Rows.Skip(1).Sum(row => double.Parse(row[1], CultureInfo.InvariantCulture)), 0.5, 1.001);
        Assert.Contains("/there/is/no/such/folder", refused.Errors, StringComparison.Ordinal);
    }
}
