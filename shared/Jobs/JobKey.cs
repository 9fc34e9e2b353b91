namespace Distributed.Jobs;

/// <summary>Names a job.</summary>
/// <param name="Kind">What is done: the name of the stage's message type.</param>
/// <param name="Scope">What it is done for: a run, a part of a run, or something that runs share.</param>
/// <param name="Step">Which slice, range or shard; from 0.</param>
public sealed record JobKey(string Kind, string Scope, int Step)
{
    private const int RunIdLength = 36;

    /// <summary>The scope of a run's own jobs.</summary>
    public static string ScopeOf(Guid runId) => runId.ToString("D");

    /// <summary>The scope of the jobs of a numbered part of a run; the number counts from 0.</summary>
    public static string ScopeOf(Guid runId, int part) => $"{runId:D}/{part}";

    /// <summary>The run of a scope that is a run's own; null where runs share it.</summary>
    public static Guid? RunIdOf(string scope)
    {
        ArgumentNullException.ThrowIfNull(scope);
        return
            scope.Length >= RunIdLength
            && (scope.Length == RunIdLength || scope[RunIdLength] == '/')
            && Guid.TryParseExact(scope.AsSpan(0, RunIdLength), "D", out var id)
            ? id
            : null;
    }

    /// <inheritdoc />
    public override string ToString() => $"{Kind} {Scope} #{Step}";
}
