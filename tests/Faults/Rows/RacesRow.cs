using System.Globalization;
using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>What happens at the same moment only once in a while, a thousand times each: the catalog's own tests of it, run at full length.</summary>
internal sealed class RacesRow : IFaultRow
{
    private const int Races = 1000;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan SayEvery = TimeSpan.FromSeconds(8);

    public string Name => "races";

    public async Task RunAsync(FaultLab lab)
    {
        var output = new DirectoryInfo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var tests = Path.Combine(
            TestEnvironment.RepositoryRoot,
            "tests",
            "Catalog.Tests",
            "bin",
            output.Parent!.Name,
            output.Name,
            "Distributed.Catalog.Tests.dll"
        );
        await using var process = HostProcess.StartService(
            tests,
            ["-class", "*.RaceTests", "-noColor", "-noLogo"],
            new Dictionary<string, string?>
            {
                ["DISTRIBUTED_TEST_POSTGRES"] = lab.Servers.Addresses.Postgres,
                ["DISTRIBUTED_TEST_RACES"] = Races.ToString(CultureInfo.InvariantCulture),
            }
        );
        var end = process.WaitForExitAsync(Limit);
        while (await Task.WhenAny(end, Task.Delay(SayEvery)) != end)
        {
            lab.Say("races are run");
        }

        var status = await end;
        var (total, failed) = (Count(process, "Total"), Count(process, "Errors") + Count(process, "Failed"));
        lab.Inject(total * Races);
        lab.Expect(total * Races);
        foreach (var line in process.Lines.Where(line => line.EndsWith("[FAIL]", StringComparison.Ordinal)))
        {
            lab.CountWrong(line.Trim());
        }

        if (total == 0 || (status != 0) != (failed > 0))
        {
            throw new InvalidOperationException($"The races ended with {status}:\n{string.Join('\n', process.Lines.TakeLast(30))}");
        }
    }

    /// <summary>A number of the runner's last line, which reads "NAME  Total: 7, Errors: 0, Failed: 0, …".</summary>
    private static int Count(HostProcess process, string name)
    {
        var words = process.Lines.SelectMany(line => line.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries)).ToList();
        var at = words.LastIndexOf($"{name}:");
        return at < 0 ? 0 : int.Parse(words[at + 1], CultureInfo.InvariantCulture);
    }
}
