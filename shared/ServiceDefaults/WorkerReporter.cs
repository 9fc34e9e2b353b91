using System.Reflection;
using Distributed.Catalog;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.ServiceDefaults;

/// <summary>
/// Reports this process in the catalog every few seconds: that it is there, what it computes on, and how busy it is. What job it does is in
/// the attempts. A process that ends in order takes its row with it.
/// </summary>
internal sealed partial class WorkerReporter(
    string service,
    IDbContextFactory<CatalogContext> contexts,
    CatalogMigration catalog,
    IEnumerable<IWorkerDevice> devices,
    TimeProvider time,
    ILogger<WorkerReporter> logger
) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>The host has other things to end.</summary>
    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromSeconds(2);

    private static readonly string Version = typeof(WorkerReporter)
        .Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion;

    private readonly ImageRate _rate = new(time);
    private readonly DateTime _startedAt = time.GetUtcNow().UtcDateTime;
    private (TimeSpan Processor, long At) _before = (Environment.CpuUsage.TotalTime, time.GetTimestamp());

    /// <summary>Reports once.</summary>
    public async Task ReportAsync(CancellationToken cancellationToken)
    {
        var row = Measure();
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var updated = await context
            .Workers.Where(worker => worker.Name == row.Name && worker.StartedAt == row.StartedAt)
            .ExecuteUpdateAsync(
                worker =>
                    worker
                        .SetProperty(w => w.SeenAt, w => DateTime.UtcNow)
                        .SetProperty(w => w.State, WorkerState.Alive)
                        .SetProperty(w => w.Device, row.Device)
                        .SetProperty(w => w.ProcessorShare, row.ProcessorShare)
                        .SetProperty(w => w.MemoryBytes, row.MemoryBytes)
                        .SetProperty(w => w.ImagesPerSecond, row.ImagesPerSecond)
                        .SetProperty(w => w.Gpu, row.Gpu)
                        .SetProperty(w => w.GpuShare, row.GpuShare)
                        .SetProperty(w => w.GpuMemoryBytes, row.GpuMemoryBytes)
                        .SetProperty(w => w.GpuMemoryLimitBytes, row.GpuMemoryLimitBytes),
                cancellationToken
            );
        if (updated == 0)
        {
            await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            // Of a process before that had the same name, as in a container that was started again.
            await context.Workers.Where(worker => worker.Name == row.Name).ExecuteDeleteAsync(cancellationToken);
            context.Workers.Add(row);
            await context.SaveChangesAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
    }

    /// <inheritdoc />
    public override void Dispose()
    {
        _rate.Dispose();
        base.Dispose();
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await catalog.Ready.WaitAsync(stoppingToken);
            using var timer = new PeriodicTimer(Interval, time);
            do
            {
                try
                {
                    await ReportAsync(stoppingToken);
                }
                catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
                {
                    // What it does counts, and it reports again.
                    LogNotReported(exception);
                }
            } while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        finally
        {
            if (catalog.Ready.IsCompletedSuccessfully)
            {
                await LeaveAsync();
            }
        }
    }

    private async Task LeaveAsync()
    {
        using var timeout = new CancellationTokenSource(LeaveTimeout);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(timeout.Token);
            await context
                .Workers.Where(worker => worker.Name == JobWorker.Name && worker.StartedAt == _startedAt)
                .ExecuteDeleteAsync(timeout.Token);
        }
        catch (Exception exception)
        {
            LogNotReported(exception);
        }
    }

    private Worker Measure()
    {
        var (processor, at) = (Environment.CpuUsage.TotalTime, time.GetTimestamp());
        var elapsed = time.GetElapsedTime(_before.At, at) * Environment.ProcessorCount;
        var share = elapsed > TimeSpan.Zero ? Math.Clamp((processor - _before.Processor) / elapsed, 0, 1) : 0;
        _before = (processor, at);
        var device = devices.Select(one => one.Read()).FirstOrDefault(one => one is not null);
        return new Worker
        {
            Name = JobWorker.Name,
            Machine = Environment.MachineName,
            Service = service,
            Version = Version,
            StartedAt = _startedAt,
            SeenAt = time.GetUtcNow().UtcDateTime,
            Device = device?.Name,
            Processors = Environment.ProcessorCount,
            ProcessorShare = share,
            MemoryBytes = Environment.WorkingSet,
            MemoryLimitBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            ImagesPerSecond = _rate.Read(),
            Gpu = device?.Gpu,
            GpuShare = device?.GpuShare,
            GpuMemoryBytes = device?.GpuMemoryBytes,
            GpuMemoryLimitBytes = device?.GpuMemoryLimitBytes,
        };
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "This process could not be reported")]
    private partial void LogNotReported(Exception exception);
}
