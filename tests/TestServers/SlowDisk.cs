using System.Globalization;

namespace Distributed.TestServers;

/// <summary>Makes every flush to the disk of a process take long, until it is disposed.</summary>
public sealed class SlowDisk : IAsyncDisposable
{
    private readonly HostProcess _tracer;

    private SlowDisk(HostProcess tracer) => _tracer = tracer;

    /// <param name="process">Whose disk it is.</param>
    /// <param name="delay">How long a flush takes.</param>
    /// <returns>Null where there is no strace.</returns>
    public static async Task<SlowDisk?> TryStartAsync(HostProcess process, TimeSpan delay)
    {
        if (TestEnvironment.StracePath is not { } strace)
        {
            return null;
        }

        var microseconds = ((long)delay.TotalMicroseconds).ToString(CultureInfo.InvariantCulture);
        var tracer = HostProcess.Start(
            strace,
            [
                "--follow-forks",
                "--attach",
                process.Id.ToString(CultureInfo.InvariantCulture),
                "--trace=fsync,fdatasync",
                $"--inject=fsync,fdatasync:delay_enter={microseconds}",
            ]
        );
        await tracer.WaitForLineAsync(line => line.Contains("attached", StringComparison.Ordinal));
        return new SlowDisk(tracer);
    }

    /// <summary>How many flushes it has held up so far.</summary>
    public int Flushes => _tracer.Lines.Count(line => line.Contains("(DELAYED)", StringComparison.Ordinal));

    /// <summary>Lets go; flushes that have begun take their time.</summary>
    public async ValueTask DisposeAsync()
    {
        _tracer.Terminate();
        await _tracer.WaitForExitAsync();
        await _tracer.DisposeAsync();
    }
}
