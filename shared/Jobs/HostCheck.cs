namespace Distributed.Jobs;

/// <summary>What a check of a host found.</summary>
public enum HostCheckOutcome
{
    /// <summary>It holds.</summary>
    Passed,

    /// <summary>It does not hold yet, and may by itself: the host waits, takes no work and is not ready.</summary>
    Waiting,

    /// <summary>A setting is wrong: the host ends with <see cref="HostExit.Misconfigured"/>, since another start would find the same.</summary>
    Misconfigured,

    /// <summary>The installation or the machine is: a library or a program is missing, a GPU does not compute. The host ends with <see cref="HostExit.Broken"/>.</summary>
    Broken,
}

/// <summary>Exit statuses of a host that ends by itself.</summary>
public static class HostExit
{
    /// <summary>This process, or what it was installed with, can do no work.</summary>
    public const int Broken = 1;

    /// <summary>A setting is wrong.</summary>
    public const int Misconfigured = 2;
}

/// <summary>The result of a check.</summary>
/// <param name="Outcome">What was found.</param>
/// <param name="Reason">One or more sentences for the operator: what is wrong, with the environment variable or the path, and what to do. Empty where the check passed.</param>
public sealed record HostCheckResult(HostCheckOutcome Outcome, string Reason)
{
    /// <summary>It holds.</summary>
    public static HostCheckResult Passed { get; } = new(HostCheckOutcome.Passed, "");

    /// <summary>It may come to hold by itself; the check is repeated.</summary>
    public static HostCheckResult Waiting(string reason) => new(HostCheckOutcome.Waiting, reason);

    /// <summary>A setting is wrong.</summary>
    public static HostCheckResult Misconfigured(string reason) => new(HostCheckOutcome.Misconfigured, reason);

    /// <summary>The installation or the machine is broken.</summary>
    public static HostCheckResult Broken(string reason) => new(HostCheckOutcome.Broken, reason);
}

/// <summary>
/// Something that a host shows before it takes work: its device computes, its images are decoded, its volume is the catalog's.
/// Registered as a singleton of this interface. It is asked at start until it passes, and again before a job that failed is
/// counted as failed (<see cref="HostChecks"/>), so it must be cheap to repeat: some hundred milliseconds at most.
/// </summary>
public interface IHostCheck
{
    /// <summary>One word for readiness and logs, as in <c>device</c>.</summary>
    string Name { get; }

    /// <summary>The resource whose jobs need it (<see cref="JobStage.Resource"/>); null where all do.</summary>
    string? Resource => null;

    /// <summary>
    /// Checks once. An outage of database, broker or volume that it throws counts as <see cref="HostCheckOutcome.Waiting"/>, any other
    /// exception as <see cref="HostCheckOutcome.Broken"/>.
    /// </summary>
    Task<HostCheckResult> CheckAsync(CancellationToken cancellationToken);
}
