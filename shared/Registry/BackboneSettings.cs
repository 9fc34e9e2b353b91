using Distributed.Contracts;
using Distributed.Networks;

namespace Distributed.Registry;

/// <summary>What a run's specification says of its base, held against the bases and networks that there are.</summary>
public static class BackboneSettings
{
    /// <summary>Gives a specification the input size of its base, where it names none.</summary>
    /// <param name="specification">What was asked for.</param>
    /// <param name="backbones">The bases that have names.</param>
    /// <exception cref="RegistryException">It names a base or a network that is not there.</exception>
    public static RunSpecification Apply(RunSpecification specification, BackboneList backbones)
    {
        ArgumentNullException.ThrowIfNull(specification);
        ArgumentNullException.ThrowIfNull(backbones);
        if (backbones.Complaint(specification.Backbone) is { } complaint)
        {
            throw new RegistryException(RegistryProblem.Invalid, complaint, "backbone");
        }

        if (specification.Architecture is { } name && NetworkArchitecture.All.All(known => known.Name != name))
        {
            throw new RegistryException(
                RegistryProblem.Invalid,
                $"is '{RunSpecificationRules.Shown(name)}'; it must be one of {string.Join(", ", NetworkArchitecture.All.Select(known => known.Name))}",
                "architecture"
            );
        }

        return backbones.Find(specification.Backbone) is { } found ? specification.WithUsualInputSize(found.InputSize) : specification;
    }
}
