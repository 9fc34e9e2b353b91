namespace Distributed.Registry;

/// <summary>Why something cannot be done to a model.</summary>
public enum RegistryProblem
{
    /// <summary>There is no such model, version, alias or run.</summary>
    NotFound,

    /// <summary>A name, a confidence or a text is out of range.</summary>
    Invalid,

    /// <summary>What is there does not allow it: the run is not complete, an alias points there, a rule is not met.</summary>
    Conflict,
}

/// <summary>Something cannot be done to a model; the message says why, and what to do.</summary>
public sealed class RegistryException : Exception
{
    /// <summary>Says what is wrong.</summary>
    /// <param name="problem">Of what kind it is.</param>
    /// <param name="field">The field that is wrong, for <see cref="RegistryProblem.Invalid"/>.</param>
    /// <param name="message">Why, and what to do.</param>
    public RegistryException(RegistryProblem problem, string message, string? field = null)
        : base(message) => (Problem, Field) = (problem, field);

    /// <summary>Of what kind it is.</summary>
    public RegistryProblem Problem { get; }

    /// <summary>The field that is wrong.</summary>
    public string? Field { get; }
}
