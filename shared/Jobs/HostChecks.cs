using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>
/// Runs the checks of this host. Nothing is consumed before all have passed; what passes later by itself is waited for, and a
/// host that can never work ends with one line that says why.
/// </summary>
public sealed partial class HostChecks : BackgroundService
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    /// <summary>What a start takes at most where nothing is wrong; nothing is logged before.</summary>
    private static readonly TimeSpan Unremarkable = TimeSpan.FromSeconds(3);

    /// <summary>Longer than any check takes that is not stuck, the first use of a GPU among them.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private const int LongestReason = 600;

    private readonly CheckState[] _checks;
    private readonly JobErrors _errors;
    private readonly FailFast _failFast;
    private readonly CancellationToken _stopping;
    private readonly TimeProvider _time;
    private readonly ILogger<HostChecks> _logger;

    /// <param name="checks">The checks.</param>
    /// <param name="errors">Distinguishes outages from faults.</param>
    /// <param name="failFast">Ends the host.</param>
    /// <param name="lifetime">Ends the checks.</param>
    /// <param name="time">Times the repetitions.</param>
    /// <param name="logger">Logs what is waited for.</param>
    public HostChecks(
        IEnumerable<IHostCheck> checks,
        JobErrors errors,
        FailFast failFast,
        IHostApplicationLifetime lifetime,
        TimeProvider time,
        ILogger<HostChecks> logger
    )
    {
        (_errors, _failFast, _stopping, _time, _logger) = (errors, failFast, lifetime.ApplicationStopping, time, logger);
        _checks = [.. checks.Select(check => new CheckState(check))];
        Passed = Task.WhenAll(_checks.Select(state => state.Passed.Task));
    }

    /// <summary>Completes when all checks have passed; never where one cannot.</summary>
    public Task Passed { get; }

    /// <summary>What has not passed yet, by the name of the check, with the reason as far as it is known.</summary>
    public IReadOnlyList<(string Name, string Reason)> Pending =>
        [.. _checks.Where(state => !state.Passed.Task.IsCompleted).Select(state => (state.Check.Name, state.Reason))];

    /// <summary>Completes when all checks that jobs on a resource need have passed.</summary>
    public Task PassedAsync(string resource) => Task.WhenAll(Of(resource).Select(state => state.Passed.Task));

    /// <summary>Asks again what jobs on a resource need, since one has failed: it may be this host's fault.</summary>
    /// <returns>The first check that does not pass; null where all do.</returns>
    public async Task<HostCheckResult?> RepeatAsync(string resource, CancellationToken cancellationToken)
    {
        foreach (var state in Of(resource))
        {
            var result = await CheckAsync(state, cancellationToken);
            if (result.Outcome != HostCheckOutcome.Passed)
            {
                return result with { Reason = $"{state.Check.Name}: {result.Reason}" };
            }
        }

        return null;
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await Task.WhenAll(_checks.Select(state => PassAsync(state, stoppingToken)));
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The host knows only its own token, and takes another's for a failure.
        }
    }

    private IEnumerable<CheckState> Of(string resource) =>
        _checks.Where(state => state.Check.Resource is null || state.Check.Resource == resource);

    private async Task PassAsync(CheckState state, CancellationToken stoppingToken)
    {
        var (waited, logged) = (TimeSpan.Zero, "");
        for (var wait = FirstWait; ; wait = TimeSpan.FromTicks(Math.Min(LongestWait.Ticks, wait.Ticks * 2)))
        {
            var result = await CheckAsync(state, stoppingToken);
            switch (result.Outcome)
            {
                case HostCheckOutcome.Passed:
                    state.Passed.SetResult();
                    return;
                case HostCheckOutcome.Waiting:
                    state.Reason = result.Reason;
                    if (waited >= Unremarkable && logged != result.Reason)
                    {
                        logged = result.Reason;
                        LogWaiting(state.Check.Name, result.Reason);
                    }

                    break;
                default:
                    state.Reason = result.Reason;
                    _failFast.Refuse(
                        $"{state.Check.Name}: {result.Reason}",
                        result.Outcome == HostCheckOutcome.Misconfigured ? HostExit.Misconfigured : HostExit.Broken
                    );
                    return;
            }

            await Task.Delay(wait, _time, stoppingToken);
            waited += wait;
        }
    }

    private async Task<HostCheckResult> CheckAsync(CheckState state, CancellationToken cancellationToken)
    {
        try
        {
            var result = await state.CheckAsync(_stopping).WaitAsync(Patience, cancellationToken);
            return result with { Reason = OneLine(result.Reason) };
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested || _stopping.IsCancellationRequested)
        {
            throw new OperationCanceledException(_stopping.IsCancellationRequested ? _stopping : cancellationToken);
        }
        catch (TimeoutException)
        {
            return HostCheckResult.Waiting($"It has not answered within {Patience.TotalSeconds:F0} s.");
        }
        catch (Exception exception)
        {
            return _errors.OutageOf(exception) is not null
                ? HostCheckResult.Waiting(exception.Message)
                : HostCheckResult.Broken(
                    OneLine(string.Join(' ', Causes(exception).Select(cause => cause.Message).Distinct(StringComparer.Ordinal)))
                );
        }
    }

    /// <summary>Messages of libraries have many lines, and some no end.</summary>
    private static string OneLine(string reason)
    {
        var line = string.Join(
            ' ',
            reason.Split((char[])['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        );
        return line.Length <= LongestReason ? line : line[..LongestReason] + " …";
    }

    private static IEnumerable<Exception> Causes(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            yield return cause;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "This host takes no work until its check '{Name}' passes: {Reason}")]
    private partial void LogWaiting(string name, string reason);

    private sealed class CheckState(IHostCheck check)
    {
        private readonly Lock _lock = new();
        private Task<HostCheckResult>? _running;

        public IHostCheck Check => check;

        public TaskCompletionSource Passed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Reason { get; set; } = "not checked yet";

        /// <summary>One that is stuck is waited for, however often it is asked: another would be stuck too.</summary>
        public Task<HostCheckResult> CheckAsync(CancellationToken stopping)
        {
            lock (_lock)
            {
                return _running is { IsCompleted: false } ? _running : _running = Task.Run(() => check.CheckAsync(stopping), stopping);
            }
        }
    }
}
