using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using Distributed.Storage;

namespace Distributed.AdminApi.Telemetry;

/// <summary>Publishes how full the volume is, and what with. Measured apart from the scrape, since a volume that hangs would hold that up.</summary>
internal sealed partial class VolumeMetrics : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    /// <summary>How much longer than looking through the folders the pause after it is at least: a volume may hold millions of files.</summary>
    private const int IdleShare = 100;

    /// <summary>The folders of a volume; a person's own ones are no kind of ours, and their names would be labels without end.</summary>
    private static readonly FrozenSet<string> Layout = FrozenSet.Create(
        StringComparer.Ordinal,
        "sources",
        "ingestions",
        "datasets",
        "features",
        "backbones",
        "runs",
        "audits",
        "autotuning"
    );

    private readonly Volume _volume;
    private readonly TimeProvider _time;
    private readonly ILogger<VolumeMetrics> _logger;
    private volatile Space? _space;
    private volatile IReadOnlyDictionary<string, long> _usage = new Dictionary<string, long>(StringComparer.Ordinal);

    public VolumeMetrics(Volume volume, IMeterFactory meters, TimeProvider time, ILogger<VolumeMetrics> logger)
    {
        (_volume, _time, _logger) = (volume, time, logger);
        var meter = meters.Create("Distributed.AdminApi");
        meter.CreateObservableGauge(
            "distributed.volume.usage",
            () => _usage.Select(kind => new Measurement<long>(kind.Value, new KeyValuePair<string, object?>("kind", kind.Key))),
            "By",
            "Bytes of files on the volume, by the folder they are in; looked through for a hundredth of the time at most"
        );
        meter.CreateObservableGauge(
            "distributed.volume.available",
            () => Measure(space => space.Available),
            "By",
            "Bytes that may still be written to the volume"
        );
        meter.CreateObservableGauge(
            "distributed.volume.limit",
            () => Measure(space => space.Limit),
            "By",
            "Bytes that the volume's file system holds"
        );
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (looked, took) = ((long?)null, TimeSpan.Zero);
        using var timer = new PeriodicTimer(Interval, _time);
        do
        {
            try
            {
                var drive = await Task.Run(() => new DriveInfo(_volume.Root), stoppingToken);
                _space = new Space(drive.AvailableFreeSpace, drive.TotalSize);
                if (looked is not { } last || _time.GetElapsedTime(last) >= IdleShare * took)
                {
                    var started = _time.GetTimestamp();
                    _usage = await Task.Run(() => LookThrough(stoppingToken), stoppingToken);
                    (looked, took) = (_time.GetTimestamp(), _time.GetElapsedTime(started));
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                _space = null;
                LogNotMeasured(exception);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private Dictionary<string, long> LookThrough(CancellationToken cancellationToken)
    {
        var usage = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var folder in new DirectoryInfo(_volume.Root).EnumerateDirectories().Where(folder => Layout.Contains(folder.Name)))
        {
            var bytes = 0L;
            foreach (
                var file in folder.EnumerateFiles(
                    "*",
                    new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }
                )
            )
            {
                cancellationToken.ThrowIfCancellationRequested();
                bytes += LengthOf(file);
            }

            usage[folder.Name] = bytes;
        }

        return usage;
    }

    private static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            // Removed, or renamed, since it was listed.
            return 0;
        }
    }

    private IEnumerable<Measurement<long>> Measure(Func<Space, long> of) => _space is { } space ? [new Measurement<long>(of(space))] : [];

    [LoggerMessage(Level = LogLevel.Debug, Message = "The volume cannot be measured")]
    private partial void LogNotMeasured(Exception exception);

    private sealed record Space(long Available, long Limit);
}
