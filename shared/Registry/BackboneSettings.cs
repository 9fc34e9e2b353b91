using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Networks;

namespace Distributed.Registry;

/// <summary>What a run's specification says of its base, held against the bases and networks that there are.</summary>
public static class BackboneSettings
{
    /// <summary>The bases that a run compares: those that it names, else all that are at hand.</summary>
    /// <param name="specification">What was asked for.</param>
    /// <param name="backbones">The bases that have names.</param>
    /// <param name="isAtHand">Whether the file of a base that is fetched is there.</param>
    /// <returns>Null where the run names its base.</returns>
    /// <exception cref="RegistryException">It names a base that is not there.</exception>
    public static IReadOnlyList<CandidateBase>? FindCandidates(
        RunSpecification specification,
        BackboneList backbones,
        Func<PretrainedBase, bool> isAtHand
    )
    {
        ArgumentNullException.ThrowIfNull(specification);
        ArgumentNullException.ThrowIfNull(backbones);
        if (!specification.Compares)
        {
            return null;
        }

        foreach (var name in specification.Candidates.Where(name => backbones.Find(name) is null))
        {
            throw new RegistryException(
                RegistryProblem.Invalid,
                $"has '{RunSpecificationRules.Shown(name)}', and there is no base of that name; there are {string.Join(", ", backbones.All.Select(known => known.Name))}",
                "candidates"
            );
        }

        var names =
            specification.Candidates.Count > 0
                ? specification.Candidates.Distinct()
                : backbones.All.Where(known => known.Url is null || isAtHand(known)).Select(known => known.Name);
        // The least work first: what it does not need of the time is left to the others.
        return
        [
            .. names
                .Select(name => new CandidateBase(
                    name,
                    PresetSettings.Apply(specification with { Backbone = name, Candidates = [] }, backbones).InputSize
                ))
                .OrderBy(one => (backbones.Find(one.Backbone)!.Parameters ?? long.MaxValue, one.Backbone)),
        ];
    }

    /// <summary>Gives a specification the input size of its base, where it names none, and what its preset stands for.</summary>
    /// <param name="specification">What was asked for.</param>
    /// <param name="backbones">The bases that have names.</param>
    /// <exception cref="RegistryException">It names a base or a network that is not there.</exception>
    public static RunSpecification Apply(RunSpecification specification, BackboneList backbones)
    {
        ArgumentNullException.ThrowIfNull(specification);
        ArgumentNullException.ThrowIfNull(backbones);
        if (specification.Compares)
        {
            // Images are packed for the largest candidate first.
            return specification;
        }

        foreach (var (named, field) in NamesOf(specification))
        {
            if (backbones.Complaint(named) is { } complaint)
            {
                throw new RegistryException(RegistryProblem.Invalid, complaint, field);
            }
        }

        if (specification.Architecture is { } name && NetworkArchitecture.All.All(known => known.Name != name))
        {
            throw new RegistryException(
                RegistryProblem.Invalid,
                $"is '{RunSpecificationRules.Shown(name)}'; it must be one of {string.Join(", ", NetworkArchitecture.All.Select(known => known.Name))}",
                "architecture"
            );
        }

        return PresetSettings.Apply(specification, backbones);
    }

    private static IEnumerable<(string Name, string Field)> NamesOf(RunSpecification specification) =>
        specification.JoinedBackbones.Select(joined => (joined, "joinedBackbones")).Prepend((specification.Backbone, "backbone"));
}
