using System.Diagnostics.Metrics;
using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Telemetry;

/// <summary>Publishes what the catalog says of runs and jobs, asked every few seconds by this host for all.</summary>
internal sealed partial class CatalogMetrics : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>Figures older than this are not published: an operator must not take them for those of now.</summary>
    private static readonly TimeSpan KnownFor = TimeSpan.FromSeconds(45);

    private readonly IDbContextFactory<CatalogContext> _contexts;
    private readonly CatalogMigration _catalog;
    private readonly TimeProvider _time;
    private readonly ILogger<CatalogMetrics> _logger;
    private volatile Answer? _answer;

    public CatalogMetrics(
        IDbContextFactory<CatalogContext> contexts,
        CatalogMigration catalog,
        IMeterFactory meters,
        TimeProvider time,
        ILogger<CatalogMetrics> logger
    )
    {
        (_contexts, _catalog, _time, _logger) = (contexts, catalog, time, logger);
        var meter = meters.Create("Distributed.AdminApi");
        meter.CreateObservableGauge(
            "distributed.run.open",
            OpenRuns,
            "{run}",
            $"Runs that have not ended, by state; counted up to {CatalogFigures.MostCounted}"
        );
        meter.CreateObservableGauge(
            "distributed.job.pending",
            PendingJobs,
            "{job}",
            $"Jobs that wait for a worker, by kind; counted up to {CatalogFigures.MostCounted}"
        );
        meter.CreateObservableGauge(
            "distributed.run.accuracy",
            Accuracies,
            "1",
            "Test accuracy of the latest run, by data set and backbone; of the 20 latest pairs"
        );
    }

    private CatalogFigures? Current => _answer is { } answer && _time.GetElapsedTime(answer.At) < KnownFor ? answer.Figures : null;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _catalog.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, _time);
        do
        {
            try
            {
                await using var context = await _contexts.CreateDbContextAsync(stoppingToken);
                _answer = new Answer(await CatalogFigures.ReadAsync(context, stoppingToken), _time.GetTimestamp());
            }
            catch (Exception exception) when (CatalogOutage.Is(exception))
            {
                LogNotRead(exception);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private IEnumerable<Measurement<int>> OpenRuns() =>
        Current is not { } figures
            ? []
            : RunStates.Open.Select(state => new Measurement<int>(
                figures.OpenRuns.GetValueOrDefault(state),
                new KeyValuePair<string, object?>("state", JobTelemetry.Snake(state.ToString()))
            ));

    private IEnumerable<Measurement<int>> PendingJobs() =>
        Current is not { } figures
            ? []
            : RunStages.All.All.Select(stage => new Measurement<int>(
                figures.PendingJobs.GetValueOrDefault(stage.Kind),
                new KeyValuePair<string, object?>("kind", JobTelemetry.NameOf(stage.Kind))
            ));

    private IEnumerable<Measurement<double>> Accuracies() =>
        Current is not { } figures
            ? []
            : figures.Accuracies.Select(latest => new Measurement<double>(
                latest.Accuracy,
                new("dataset", latest.Dataset),
                new("backbone", latest.Backbone)
            ));

    [LoggerMessage(Level = LogLevel.Debug, Message = "The catalog cannot be reached, so metrics of runs and jobs are absent")]
    private partial void LogNotRead(Exception exception);

    private sealed record Answer(CatalogFigures Figures, long At);
}
