using System.Diagnostics.Metrics;
using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi;

/// <summary>Counts runs by state for dashboards.</summary>
internal sealed partial class RunStateMetrics : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private readonly IDbContextFactory<CatalogContext> _contexts;
    private readonly CatalogMigration _catalog;
    private readonly ILogger<RunStateMetrics> _logger;
    private volatile IReadOnlyDictionary<RunState, int> _counts = new Dictionary<RunState, int>();

    public RunStateMetrics(IDbContextFactory<CatalogContext> contexts, CatalogMigration catalog, IMeterFactory meters, ILogger<RunStateMetrics> logger)
    {
        (_contexts, _catalog, _logger) = (contexts, catalog, logger);
        meters.Create("Distributed.AdminApi").CreateObservableGauge(
            "distributed.runs",
            () => Enum.GetValues<RunState>().Select(state => new Measurement<int>(_counts.GetValueOrDefault(state), new KeyValuePair<string, object?>("state", state.ToString()))),
            "{run}",
            "Runs in the catalog, by state");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _catalog.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval);
        do
        {
            try
            {
                await using var context = await _contexts.CreateDbContextAsync(stoppingToken);
                _counts = await context.Runs.GroupBy(run => run.State).ToDictionaryAsync(group => group.Key, group => group.Count(), stoppingToken);
            }
            catch (Exception exception) when (CatalogOutage.Is(exception))
            {
                LogNotCounted(exception);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Runs could not be counted: the database cannot be reached")]
    private partial void LogNotCounted(Exception exception);
}
