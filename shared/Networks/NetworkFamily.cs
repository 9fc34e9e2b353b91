namespace Distributed.Networks;

/// <summary>Networks that are built alike and whose weights are named alike.</summary>
/// <param name="Architectures">Its networks.</param>
/// <param name="CanonicalName">
/// From the name of a tensor in any spelling that is in use, without what trainers put before it, to the name in the graph; null for what
/// takes no part in features.
/// </param>
public sealed record NetworkFamily(IReadOnlyList<NetworkArchitecture> Architectures, Func<string, string?> CanonicalName)
{
    /// <summary>Weights of its networks that are published.</summary>
    public IReadOnlyList<PretrainedBase> Pretrained { get; init; } = [];

    /// <summary>The known ones.</summary>
    public static IReadOnlyList<NetworkFamily> All => [DenseNet.Family, ResNet.Family];
}
