using System.Globalization;
using Distributed.Faults.Rows;
using Distributed.TestServers;

namespace Distributed.Faults;

/// <summary>The command line: <c>faults [ROW…] [--minutes N] [--runs N] [--seed N] [--logs FOLDER]</c>.</summary>
internal static class Program
{
    private static readonly string[] Known = ["--minutes", "--runs", "--seed", "--logs"];

    private static readonly IReadOnlyList<IFaultRow> Rows =
    [
        new KillRow("kill", isPublished: false),
        new RestartsRow(),
        new PauseRow(),
        new FullRow(),
        new PoisonRow(),
        new DamageRow(),
        new AcceptRow(),
        new RacesRow(),
        new QueueRow(),
        new KillRow("published", isPublished: true),
        new MisconfiguredRow(),
        new PredictionsRow(),
    ];

    /// <summary>Injects faults row by row, prints a table, and returns 0 where nothing was lost, doubled or wrong.</summary>
    public static async Task<int> Main(string[] arguments)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        var names = new List<string>();
        for (var i = 0; i < arguments.Length; i++)
        {
            if (Known.Contains(arguments[i], StringComparer.Ordinal) && i + 1 < arguments.Length)
            {
                options[arguments[i]] = arguments[++i];
            }
            else if (Rows.Any(row => row.Name == arguments[i]))
            {
                names.Add(arguments[i]);
            }
            else
            {
                await Console.Error.WriteLineAsync(
                    $"error: '{arguments[i]}' is neither an option ({string.Join(", ", Known)}) with a value nor a row ({string.Join(", ", Rows.Select(row => row.Name))})"
                );
                return 2;
            }
        }

        var seed = options.TryGetValue("--seed", out var given)
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : Random.Shared.Next(1_000_000);
        var length = TimeSpan.FromMinutes(double.Parse(options.GetValueOrDefault("--minutes", "10"), CultureInfo.InvariantCulture));
        var queued = int.Parse(options.GetValueOrDefault("--runs", "10000"), CultureInfo.InvariantCulture);
        return await RunAsync(
            [.. Rows.Where(row => names.Count == 0 || names.Contains(row.Name, StringComparer.Ordinal))],
            seed,
            length,
            queued,
            options.GetValueOrDefault("--logs")
        );
    }

    private static async Task<int> RunAsync(IReadOnlyList<IFaultRow> rows, int seed, TimeSpan length, int queued, string? logs)
    {
        Console.WriteLine($"seed {seed}");
        var results = new List<(IFaultRow Row, FaultLab Lab, TimeSpan Elapsed, bool IsComplete)>();
        using (var publication = new Publication())
        using (var workload = new Workload())
        await using (var servers = await RestartableServers.StartAsync())
        {
            foreach (var row in rows)
            {
                var lab = new FaultLab(row.Name, servers, workload, publication, seed, length, queued, logs);
                var isComplete = true;
                try
                {
                    await row.RunAsync(lab);
                }
                catch (Exception exception)
                {
                    // The other rows are worth knowing all the same.
                    isComplete = false;
                    lab.Say($"BROKEN OFF: {exception}");
                }

                results.Add((row, lab, lab.Elapsed, isComplete));
            }
        }

        Console.WriteLine();
        Console.WriteLine("| row | seconds | injected | runs | lost | doubled | wrong | |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (var (row, lab, elapsed, isComplete) in results)
        {
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {row.Name} | {elapsed.TotalSeconds:F0} | {lab.Injected:N0} | {lab.Runs:N0} | {lab.Lost} | {lab.Doubled} | {lab.Wrong} | {string.Join("; ", isComplete ? lab.Notes : ["broken off", .. lab.Notes])} |"
                )
            );
        }

        var labs = results.Select(result => result.Lab).ToList();
        var (lost, doubled, wrong) = (labs.Sum(lab => lab.Lost), labs.Sum(lab => lab.Doubled), labs.Sum(lab => lab.Wrong));
        Console.WriteLine();
        Console.WriteLine(
            $"faults: {labs.Sum(lab => lab.Injected)} injected, {labs.Sum(lab => lab.Runs)} runs, {lost} lost, {doubled} doubled, {wrong} wrong"
        );
        return lost + doubled + wrong == 0 && results.TrueForAll(result => result.IsComplete) ? 0 : 1;
    }
}
